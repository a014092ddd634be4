"""What waits for a decision, and deciding: a person's act, by the session of the browser, never by a token."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.jobs import JobWhole, of
from api.resources import Moment, Paged, Resource, Strict, one_of
from approvals import confirming, gate, inbox_rows
from approvals.inbox_rows import Row
from approvals.models import Request as Approval
from approvals.models import Window

SHOWN = ("all", "mine", "asked")


class ApprovalFilters(Paged):
    show = one_of(*SHOWN, default="all", help_text="mine: on which the caller may decide now")


class Waiting(serializers.Serializer[Any]):
    job = serializers.UUIDField(source="request.job_id")
    kind = serializers.CharField(source="request.job.kind")
    reason = serializers.CharField(source="request.job.plan.reason")
    requested_by = serializers.CharField(source="request.job.requested_by.username")
    why = serializers.ListField(child=serializers.CharField(), source="request.why")
    records = serializers.IntegerField(source="request.job.plan.records", allow_null=True)
    digest = serializers.CharField(source="request.digest")
    standing = serializers.CharField(help_text="how many approvals are given, and whose are missing")
    mine = serializers.BooleanField(help_text="whether the caller may decide on it now")
    asked_at = Moment(source="request.created_at")
    open_until = Moment(source="request.expires_at")
    page = serializers.CharField(source="request.job.get_absolute_url")


class Decide(Strict):
    verdict = one_of("approve", "changes", "reject")
    digest = serializers.CharField(max_length=64, help_text="of the plan that was read")
    reason = serializers.CharField(
        max_length=500, default="", allow_blank=True, help_text="needed to reject and to ask for changes"
    )
    window = serializers.CharField(max_length=60, default=None, allow_null=True, help_text="name of a change window")
    password = serializers.CharField(
        max_length=500,
        default="",
        allow_blank=True,
        trim_whitespace=False,
        write_only=True,
        help_text="needed where the login is some minutes old",
    )


class Approvals(Resource):
    """What waits for a decision, oldest first."""

    filters = ApprovalFilters
    gives = Waiting
    many = True

    def get(self, request: Request) -> Response:
        show, rows = self.wanted["show"], inbox_rows.of(self.user, timezone.now())
        return self.page([row for row in rows if _shown(row, show)])


def _shown(row: Row, show: str) -> bool:
    return show == "all" or (row.mine if show == "mine" else row.asked)


class Deciding(Resource):
    """Approve, reject or ask for changes, of exactly the plan with this digest."""

    asks = Decide
    gives = JobWhole

    def post(self, request: Request, job_id: UUID) -> Response:
        approval = Approval.objects.select_related("job__plan", "job__requested_by").filter(job_id=job_id).first()
        gate.demand_named(approval, self.user)
        if approval is None:
            raise Http404("Nobody asks for a decision about this job.")
        given = self.body()
        window = _window(given["window"])
        confirming.confirm(self.user, request._request.session, given["password"], now=timezone.now())
        said = {"digest": given["digest"], "reason": given["reason"]}
        if given["verdict"] == "changes":
            gate.ask_changes(approval, self.user, **said)
        else:
            gate.decide(approval, self.user, approve=given["verdict"] == "approve", window=window, **said)
        return self.one(of(job_id))


def _window(name: str | None) -> Window | None:
    if name is None:
        return None
    found = Window.objects.filter(name=name).first()
    if found is None:
        raise ValidationError({"window": [f"There is no change window {name}."]})
    return found
