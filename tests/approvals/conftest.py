"""Jobs that wait for decisions, of a kind that needs no warehouse; and policies of several people."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from approvals import gate
from approvals.models import Decision, Request
from approvals.policy import Policy, Stage
from audit.models import Event
from jobs import kinds, submission
from jobs.kinds import Described, Kind, Preview
from jobs.models import Job, Plan
from tests.tampering import sql, unguarded

KIND = "rebuilding"
PREVIEW = {"tables": {"visits": {"inserted": 3, "updated": 2, "deleted": 1}}, "records": 6, "estimate_seconds": 1.0}
ONE = Policy("size", 3, ("It is large.",), (Stage(("reviewer", "administrator")),))
TWO = Policy("two", 1, ("It is very large.",), (Stage(("reviewer",)), Stage(("archive admin",))))
PASSWORD = "pass-word-1"


@pytest.fixture(autouse=True)
def _kind() -> None:
    kinds.register(
        Kind(
            KIND,
            "Rebuilding",
            False,
            lambda run: Preview([], [], PREVIEW),
            lambda run: {"tables": {}},
            lambda connection, job: None,
            asks_by_size=False,
            describe=lambda job: Described("Rebuild visits.", 6, "rows", (), [], "As it came."),
        )
    )


Asks = Callable[..., Request]


@pytest.fixture
def asked(people: dict[str, User]) -> Asks:
    """Make a job that waits for a decision by `policy`: asked for by the operator, because of `asks`."""

    def ask(policy: Policy | None = ONE, *, actor: str = "operator", **options: Any) -> Request:
        plan = Plan(
            kind=KIND, reason="The fee was wrong.", options={"source": "files", "asks": ["It is large."], **options}
        )
        job = submission.submit(plan, people[actor])
        plan.freeze(included=[{"file": 1, "key": "a.csv", "extract": "Visits"}], excluded=[], preview=PREVIEW)
        submission.after_preview(job, where={})
        request = Request.objects.get(job=job)
        if policy is not None:
            with unguarded("approvals_request"):
                Request.objects.filter(pk=request.pk).update(policy=policy.as_json(), why=list(policy.why))
        return again(request)

    return ask


def again(request: Request) -> Request:
    return Request.objects.select_related("job__plan", "job__requested_by").get(pk=request.pk)


def approve(request: Request, user: User, **more: Any) -> None:
    gate.decide(request, user, approve=True, digest=request.job.plan.digest, reason="", **more)


def insert_decision(request: Request, user: User, *, verdict: str = "approve", stage: int = 0, role: str = "reviewer",
                    digest: str | None = None, person: int = 0) -> int:  # fmt: skip
    """A decision by hand, past all of the console's code."""
    return sql(
        "INSERT INTO approvals_decision (request_id, reviewer_id, person, verdict, stage, role, digest, reason, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, 'by hand', now())",
        *(request.pk, user.pk, person, verdict, stage, role, digest or request.digest),
    )


def state(request: Request) -> tuple[Any, ...]:
    """All that a refused attempt must leave as it was."""
    found = again(request)
    about = [f"job:{found.job_id}", f"request:{found.pk}"]
    rows = Request.objects.filter(pk=request.pk).values_list()
    return (
        *rows,
        *Job.objects.filter(pk=found.job_id).values_list(),
        *Plan.objects.filter(pk=found.job.plan_id).values_list(),
        *Decision.objects.order_by("pk").values_list(),
        Event.objects.exclude(result=Event.Result.REFUSED).filter(subject__in=about).count(),
    )
