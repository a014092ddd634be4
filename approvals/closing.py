"""How a request ends without a decision: withdrawn or expired; and who hears of one that waits."""

from contextlib import suppress
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from access import rights
from approvals import hands
from approvals.gate import VALID_FOR, RefusedError
from approvals.models import Emergency, Request
from audit.models import Event
from audit.transitions import StateChangedError, move, record
from jobs.ending import end
from jobs.models import Job

REMIND_AT = (0.25, 0.5, 0.9)  # of the time in which it can be decided
BETWEEN_REMINDERS = timedelta(hours=1)


def withdraw(request: Request, actor: User, *, reason: str) -> None:
    """Take the request back, by who had a hand in it. Raises RefusedError, PermissionDenied."""
    rights.demand(actor, rights.SEE)
    if not hands.has(actor, request.job):
        told = "Only who asked for it withdraws it. Whoever decides on it can reject it."
        record(actor, "withdrawal refused", request.job, {"why": told}, result=Event.Result.REFUSED)
        raise RefusedError(told)
    said = f"Withdrawn by {actor.get_username()}{f': {reason}' if reason else ''}. Staging is unchanged."
    try:
        with transaction.atomic():
            job = Job.objects.select_for_update().get(pk=request.job_id)
            among, detail = [Request.State.PENDING], {"reason": reason}
            move(request, Request.State.WITHDRAWN, among=among, actor=actor, detail=detail)
            end(job, Job.State.CANCELLED, among=[Job.State.AWAITING], actor=actor, error=said)
    except StateChangedError as error:
        raise RefusedError("It does not wait for a decision any more. Nothing was withdrawn.") from error


def remind(request: Request, actor: User, *, now: datetime | None = None) -> None:
    """Have those who can decide reminded. Raises RefusedError, PermissionDenied."""
    rights.demand(actor, rights.DISCUSS)
    now = now or timezone.now()
    with transaction.atomic():
        locked = Request.objects.select_for_update().get(pk=request.pk)
        last = Event.objects.filter(subject=f"request:{request.pk}", action="request reminded").first()
        if locked.state != Request.State.PENDING:
            raise RefusedError("It does not wait for a decision any more. Nobody was reminded.")
        if last and last.at > now - BETWEEN_REMINDERS:
            raise RefusedError("Less than an hour ago they were reminded. Nobody was reminded again.")
        record(actor, "request reminded", locked, {"open until": locked.expires_at.isoformat()})


def upkeep(now: datetime) -> None:
    """The reconciler's call."""
    expire(now)
    _void_lost()
    for request in Request.objects.filter(state=Request.State.PENDING, expires_at__gte=now):
        _remind_by_the_clock(request, now)
        _escalate(request, now)
    _tell_overdue(now)


def expire(now: datetime) -> int:
    """End the jobs whose requests nobody decided in time; how many. Time never approves."""
    late = Request.objects.filter(state=Request.State.PENDING, expires_at__lt=now, job__state=Job.State.AWAITING)
    told = f"Nobody decided within {VALID_FOR.days} days. Staging is unchanged; a new plan shows what it would do now."
    ended = 0
    for request in late.select_related("job"):
        with suppress(StateChangedError), transaction.atomic():
            Job.objects.select_for_update().get(pk=request.job_id)
            move(request, Request.State.VOID, among=[Request.State.PENDING], actor=None)
            end(request.job, Job.State.CANCELLED, among=[Job.State.AWAITING], error=told)
            ended += 1
    return ended


def _void_lost() -> None:
    """The requests whose jobs were cancelled meanwhile: there is nothing to decide any more."""
    lost = Request.objects.filter(~Q(job__state=Job.State.AWAITING), state=Request.State.PENDING)
    for request in lost:
        with suppress(StateChangedError):
            move(request, Request.State.VOID, among=[Request.State.PENDING], actor=None)


def _remind_by_the_clock(request: Request, now: datetime) -> None:
    """Once for each part of its time that has gone by; of several at once, once."""
    whole = request.expires_at - request.created_at
    due = sum(now >= request.created_at + whole * share for share in REMIND_AT)
    if due > request.reminded:
        with transaction.atomic():
            mine = Request.objects.filter(pk=request.pk, reminded=request.reminded, state=Request.State.PENDING)
            if mine.update(reminded=due):
                record(None, "request reminded", request, {"open until": request.expires_at.isoformat()})


def _escalate(request: Request, now: datetime) -> None:
    """Say that one more role may approve now; that it may follows from the time alone."""
    if request.escalated or not request.escalates_to or not request.escalates_at or request.escalates_at > now:
        return
    with transaction.atomic():
        mine = Request.objects.filter(pk=request.pk, escalated=False, state=Request.State.PENDING)
        if mine.update(escalated=True):
            record(None, "request escalated", request, {"to": request.escalates_to})


def _tell_overdue(now: datetime) -> None:
    for emergency in Emergency.objects.filter(state=Emergency.State.OPEN, due__lt=now, overdue_told=False):
        with transaction.atomic():
            if Emergency.objects.filter(pk=emergency.pk, overdue_told=False).update(overdue_told=True):
                record(None, "emergency review overdue", emergency, {"due": emergency.due.isoformat()})
