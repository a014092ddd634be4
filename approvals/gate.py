"""The gate: every previewed job passes it, and a person's decision opens it for exactly one digest."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from access import rights
from approvals import covering, rules
from approvals.models import Decision, Request
from audit.models import Event
from audit.transitions import StateChangedError, move, record
from jobs import submission
from jobs.ending import end
from jobs.models import Job
from jobs.submission import NotPermittedError

VALID_FOR = timedelta(days=7)


class RefusedError(RuntimeError):
    """The decision does not count; the message says why. Nothing was changed."""


def submit(job: Job, where: dict[str, Any]) -> None:
    """Queue a previewed job, or ask for approval of its plan."""
    asked = _asked(job)
    if not asked:
        submission.queue(job, among=[Job.State.PREVIEWING], actor=None, where=where)
        return
    move(
        job,
        Job.State.AWAITING,
        among=[Job.State.PREVIEWING],
        actor=None,
        where=where,
        detail={"why": asked},
        lease_until=None,
        progress={},
    )
    Request.objects.create(job=job, digest=job.plan.digest, why=asked, expires_at=timezone.now() + VALID_FOR)


def _asked(job: Job) -> list[str]:
    """The rules that ask for a decision; none about a part of a job that the decision about the whole covers."""
    if job.parent is None:
        return rules.why(job)
    not_covered = covering.why_not(job, job.parent)
    if not not_covered:
        permit(job.parent)
        return []
    return [not_covered, *rules.why(job)]


def permit(job: Job) -> None:
    """Asked when a worker begins: is what is about to be done still what was approved, by one who still may?

    Raises NotPermittedError.
    """
    asked = _asked(job)
    request = Request.objects.filter(job=job).first()
    if not asked and request is None:
        return
    decision = Decision.objects.select_related("reviewer").filter(request=request, approved=True).first()
    if request is None or decision is None or request.state != Request.State.APPROVED:
        raise NotPermittedError("The plan needs an approval and has none. Nothing was done.")
    if not decision.digest == request.digest == job.plan.digest:
        raise NotPermittedError("The approval is about another plan. Nothing was done; make a new plan.")
    if decision.reviewer_id in job.asked_by or not rights.may(decision.reviewer, rights.DECIDE):
        raise NotPermittedError(
            f"{decision.reviewer.get_username()}, who approved it, may not decide any more. Nothing was done;"
            " make a new plan and have somebody else approve it."
        )


def decide(request: Request, reviewer: User, *, approve: bool, digest: str, reason: str) -> None:
    """One person's decision about the digest that they have read. Raises RefusedError, PermissionDenied."""
    rights.demand(reviewer, rights.DECIDE)
    try:
        _decide(request, reviewer, approve=approve, digest=digest, reason=reason)
    except RefusedError as error:
        record(reviewer, "decision refused", request.job, {"why": str(error)}, result=Event.Result.REFUSED)
        raise


def _decide(request: Request, reviewer: User, *, approve: bool, digest: str, reason: str) -> None:
    with transaction.atomic():
        job = Job.objects.select_for_update().select_related("plan").get(pk=request.job_id)
        request.refresh_from_db()
        _refuse(request, job, reviewer, digest, approve=approve, reason=reason)
        Decision.objects.create(request=request, reviewer=reviewer, approved=approve, digest=digest, reason=reason)
        move(
            request,
            Request.State.APPROVED if approve else Request.State.REJECTED,
            among=[Request.State.PENDING],
            actor=reviewer,
            detail={"digest": digest, "reason": reason},
        )
        if approve:
            submission.queue(job, among=[Job.State.AWAITING], actor=reviewer)
        else:
            told = f"Rejected by {reviewer.get_username()}: {reason}"
            end(job, Job.State.REJECTED, among=[Job.State.AWAITING], actor=reviewer, error=told)


def _refuse(request: Request, job: Job, reviewer: User, digest: str, *, approve: bool, reason: str) -> None:
    if reviewer.pk in job.asked_by:
        raise RefusedError("You had a hand in asking for this job; somebody else must decide on it.")
    if request.state != Request.State.PENDING or job.state != Job.State.AWAITING:
        raise RefusedError(f"It is not open for a decision any more: the job is {job.state}.")
    if request.expires_at < timezone.now():
        raise RefusedError("The request has expired. A new plan shows what the job would do now.")
    if not digest == request.digest == job.plan.digest == job.plan.computed_digest():
        raise RefusedError("The plan is not the one that you were shown. Read it again and decide anew.")
    if not approve and not reason.strip():
        raise RefusedError("A rejection needs a reason: the person who asked will read it.")


def expire(now: datetime) -> int:
    """End the jobs whose requests nobody decided in time; how many."""
    late = Request.objects.filter(state=Request.State.PENDING, expires_at__lt=now, job__state=Job.State.AWAITING)
    told = f"Nobody decided within {VALID_FOR.days} days. Staging is unchanged; a new plan shows what it would do now."
    ended = 0
    for request in late.select_related("job"):
        with suppress(StateChangedError), transaction.atomic():
            move(request, Request.State.VOID, among=[Request.State.PENDING], actor=None)
            end(request.job, Job.State.CANCELLED, among=[Job.State.AWAITING], error=told)
            ended += 1
    return ended


def waiting() -> QuerySet[Request]:
    """The requests that wait for a decision, oldest first."""
    found = Request.objects.filter(state=Request.State.PENDING, job__state=Job.State.AWAITING)
    return found.select_related("job__plan", "job__requested_by")


def pending(user: User) -> list[Request]:
    """Those on which this person may decide."""
    if not rights.may(user, rights.DECIDE):
        return []
    return [request for request in waiting() if user.pk not in request.job.asked_by]
