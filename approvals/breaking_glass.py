"""The emergency way past a decision: by one person with a right of its own, a reason and a second factor.

The job begins at once; everybody who decides sees it on every page until somebody else has reviewed it.
"""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from access import persons, rights
from approvals import hands, second_factor
from approvals.gate import RefusedError
from approvals.models import Emergency, Request
from audit.models import Event
from audit.reasons import letters, said
from audit.transitions import StateChangedError, move, record
from jobs import submission
from jobs.models import Job

REVIEW_WITHIN = timedelta(hours=24)
LEAST_LETTERS = 20


def let_through(
    request: Request, actor: User, *, digest: str, reason: str, token: str, now: datetime | None = None
) -> Emergency:
    """Have the job begin without the approvals that it needs. Raises RefusedError, PermissionDenied."""
    rights.demand(actor, rights.BREAK_GLASS)
    now, why = now or timezone.now(), said(reason)
    try:
        _refuse(request, digest, why, now)
        if not second_factor.verify(actor, token):
            raise RefusedError(second_factor.REFUSED)
        return _let_through(request, actor, digest, why, now)
    except (RefusedError, StateChangedError) as error:
        record(actor, "emergency refused", request.job, {"why": str(error)}, result=Event.Result.REFUSED)
        raise RefusedError(str(error)) from error


def _refuse(request: Request, digest: str, reason: str, now: datetime) -> None:
    job = request.job
    if request.state != Request.State.PENDING or job.state != Job.State.AWAITING or request.expires_at < now:
        raise RefusedError(f"It does not wait for a decision any more: the job is {job.state}.")
    if not digest == request.digest == job.plan.digest == job.plan.computed_digest():
        raise RefusedError("The plan is not the one that you were shown. Read it again.")
    if job.plan.options.get("raw_history") == "delete":
        raise RefusedError(
            "It deletes raw records for good, which waits for an approval in an emergency too. Ask anew and keep them."
        )
    if letters(reason) < LEAST_LETTERS:
        raise RefusedError(f"The reason needs at least {LEAST_LETTERS} letters: everybody who decides will read it.")


def _let_through(request: Request, actor: User, digest: str, reason: str, now: datetime) -> Emergency:
    with transaction.atomic():
        job = Job.objects.select_for_update().select_related("plan").get(pk=request.job_id)
        request.refresh_from_db()
        _refuse(request, digest, reason, now)
        made = Emergency.objects.create(
            request=request,
            by=actor,
            person=persons.person_of(actor),
            reason=reason,
            digest=digest,
            due=now + REVIEW_WITHIN,
        )
        detail = {"reason": reason, "digest": digest, "review until": made.due.isoformat()}
        move(request, Request.State.EMERGENCY, among=[Request.State.PENDING], actor=actor, detail=detail)
        submission.queue(job, among=[Job.State.AWAITING], actor=actor)
    return made


def review(emergency: Emergency, reviewer: User, *, verdict: str, note: str, now: datetime | None = None) -> None:
    """Say whether it was justified: somebody else, who may decide. Raises RefusedError, PermissionDenied."""
    rights.demand(reviewer, rights.DECIDE)
    try:
        if verdict not in (Emergency.State.JUSTIFIED, Emergency.State.NOT_JUSTIFIED) or not said(note):
            raise RefusedError("A review says whether it was justified, and what was found.")
        if not may_review(emergency, reviewer):
            raise RefusedError("Neither who let it through nor who asked for it reviews it.")
        move(
            emergency,
            verdict,
            among=[Emergency.State.OPEN],
            actor=reviewer,
            detail={"reason": note, "job": str(emergency.request.job_id)},
            reviewed_by=reviewer,
            reviewed_at=now or timezone.now(),
            note=note,
        )
    except StateChangedError as error:
        raise RefusedError("It is reviewed already.") from error
    except RefusedError as error:
        record(reviewer, "review refused", emergency, {"why": str(error)}, result=Event.Result.REFUSED)
        raise


def may_review(emergency: Emergency, user: User) -> bool:
    """Whether they are somebody else, with the right to decide."""
    same = persons.person_of(user) == persons.of([emergency.by_id])[emergency.by_id]
    return rights.may(user, rights.DECIDE) and not same and not hands.has(user, emergency.request.job)


def open_ones() -> QuerySet[Emergency]:
    """Those that wait for their review, the first due first."""
    found = Emergency.objects.filter(state=Emergency.State.OPEN).order_by("due")
    return found.select_related("by", "request__job__plan", "request__job__requested_by")


def reviewed() -> QuerySet[Emergency]:
    """Those that were reviewed last."""
    found = Emergency.objects.exclude(state=Emergency.State.OPEN).select_related("by", "reviewed_by", "request__job")
    return found.order_by("-reviewed_at")[:20]
