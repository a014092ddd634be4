"""Jobs: what was asked for, what it would do or has done, and asking for one."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from access import rights
from api import asking, once
from api.asking import Asker
from api.resources import Moment, Paged, Resource, one_of
from approvals import inbox_rows
from approvals.models import Request as Approval
from jobs import kinds, listing, report, submission
from jobs.listing import Wanted
from jobs.models import Job


class JobFilters(Paged):
    state = one_of(*Job.State.values, required=False)
    kind = serializers.CharField(max_length=30, required=False)
    table = serializers.RegexField(r"^[a-z0-9_]{1,63}$", required=False)
    since = serializers.DateField(required=False, help_text="asked for on this day or later")
    until = serializers.DateField(required=False, help_text="asked for on this day or before")

    def validate_kind(self, kind: str) -> str:
        known = [name for name, _title in kinds.titles()]
        if kind not in known:
            raise ValidationError(f"It must be one of: {', '.join(known)}.")
        return kind


class JobRow(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = serializers.ChoiceField(choices=Job.State.values)
    dry_run = serializers.BooleanField()
    reason = serializers.CharField(source="plan.reason")
    requested_by = serializers.CharField(source="requested_by.username")
    asked_by = serializers.SerializerMethodField(help_text="what asked on their behalf: a token, a schedule, a trigger")
    load_runs = serializers.ListField(child=serializers.UUIDField(), source="about")
    records = serializers.IntegerField(source="plan.records", allow_null=True)
    plan_digest = serializers.CharField(source="plan.digest", help_text="empty until its preview is made")
    created_at = Moment()
    started_at = Moment(allow_null=True)
    finished_at = Moment(allow_null=True)
    error = serializers.CharField(help_text="why it ended, where it did not succeed")
    page = serializers.CharField(source="get_absolute_url")

    def get_asked_by(self, job: Job) -> str | None:
        told: str | None = job.plan.options.get("origin", {}).get("told")
        return told


class Included(serializers.Serializer[Any]):
    key = serializers.CharField()
    extract = serializers.CharField()


class Excluded(serializers.Serializer[Any]):
    key = serializers.CharField()
    code = serializers.CharField()
    reason = serializers.CharField()


class Policy(serializers.Serializer[Any]):
    rule = serializers.CharField(allow_null=True)
    version = serializers.IntegerField(allow_null=True)


class Standing(serializers.Serializer[Any]):
    """The request for a decision about a job."""

    state = serializers.ChoiceField(choices=Approval.State.values)
    why = serializers.ListField(child=serializers.CharField())
    policy = Policy()
    standing = serializers.CharField(help_text="how many approvals are given, and whose are missing")
    approved_by = serializers.ListField(child=serializers.CharField())
    asked_at = Moment()
    open_until = Moment()


class JobWhole(JobRow):
    tables = serializers.SerializerMethodField(help_text="counts by table: what was done, else what was previewed")
    included = Included(many=True, source="plan.included")
    excluded = Excluded(many=True, source="plan.excluded")
    new_load_runs = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField(help_text="how far its worker is")
    approval = serializers.SerializerMethodField(help_text="the request for a decision, where one is needed")

    def get_tables(self, job: Job) -> dict[str, dict[str, float]]:
        return {table: _numbers(counts) for table, counts in job.tables.items()}

    def get_new_load_runs(self, job: Job) -> list[UUID]:
        return [UUID(run) for run in report.new_load_runs(job)]

    def get_progress(self, job: Job) -> dict[str, Any] | None:
        return job.progress or None

    @extend_schema_field(Standing(allow_null=True))
    def get_approval(self, job: Job) -> Any:
        found = Approval.objects.filter(job=job).select_related("job__plan", "job__requested_by").first()
        return Standing(inbox_rows.as_json(found, timezone.now())).data if found else None


def _numbers(counts: dict[str, Any]) -> dict[str, float]:
    """Of what is kept of a table only what counts something: no checksum, no sample."""
    return {name: value for name, value in counts.items() if type(value) in (int, float)}


class Jobs(Resource):
    """Jobs, the newest first; POST asks for one."""

    by_tokens = True
    filters = JobFilters
    gives = JobRow
    many = True

    def get(self, request: Request) -> Response:
        found = listing.filtered(Wanted(**self.chosen)).select_related("plan", "requested_by")
        return self.page(found.order_by("-created_at", "pk"))

    def post(self, request: Request) -> Response:
        """Ask for a job. With an Idempotency-Key the same request, sent again, gives the same job."""
        kind = asking.kind_of(request.data)
        given, asker = self.body(kind.body), Asker(self.user, self.token)
        key = once.key_of(request.headers)
        if key is None:
            return _told(kind.ask(asker, given), 201)
        job, made = once.asked(self.user, key, request.data, lambda: kind.ask(asker, given))
        return _told(job, 201 if made else 200)


class OneJob(Resource):
    """A job with its plan, its counts, how far it is, and the decision that it needs."""

    gives = JobWhole

    def get(self, request: Request, job_id: UUID) -> Response:
        return self.one(of(job_id))


class Cancelling(Resource):
    """Stop a job before it publishes."""

    right = rights.CANCEL
    by_tokens = True
    gives = JobWhole

    def post(self, request: Request, job_id: UUID) -> Response:
        self.body()
        submission.cancel(of(job_id), self.user)
        return self.one(of(job_id))


def of(job_id: UUID) -> Job:
    """Raises Http404."""
    found = Job.objects.select_related("plan", "requested_by").filter(pk=job_id).first()
    if found is None:
        raise Http404("There is no such job.")
    return found


def _told(job: Job, status: int) -> Response:
    found = of(job.pk)
    return Response(JobWhole(found).data, status=status, headers={"Location": f"/api/v1/jobs/{found.pk}/"})
