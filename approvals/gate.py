"""The gate: every previewed job passes it, and people's decisions open it for exactly one digest."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from access import persons, rights
from approvals import counting, covering, hands, passing, permits, rules, standing, windows
from approvals.counting import Known
from approvals.models import Decision, Request, Window
from approvals.policy import Policy
from approvals.standing import Standing, UnreadablePolicyError
from audit.models import Event
from audit.reasons import said
from audit.transitions import move, record
from jobs import submission
from jobs.ending import end
from jobs.models import Job

VALID_FOR = timedelta(days=7)
Verdict = Decision.Verdict
ENDS = {Verdict.REJECT: Request.State.REJECTED, Verdict.CHANGES: Request.State.CHANGES}


class RefusedError(RuntimeError):
    """The decision does not count; the message says why. Nothing was changed."""


def submit(job: Job, where: dict[str, Any], *, now: datetime | None = None) -> None:
    """Queue a previewed job, ask for approval of its plan, or end it where a rule refuses it."""
    now = now or timezone.now()
    policy = _asked(job, now, now)
    if policy is None:
        submission.queue(
            job, among=[Job.State.PREVIEWING], actor=None, where=where, detail={passing.MOMENT: now.isoformat()}
        )
    elif not policy.stages:
        told = f"Refused by the rule {policy.rule}: {' '.join(policy.why)} Nothing was changed."
        end(job, Job.State.REJECTED, among=[Job.State.PREVIEWING], where=where, error=told)
    else:
        _ask(job, policy, where, now)


def _asked(job: Job, came: datetime, now: datetime) -> Policy | None:
    """What asks for a decision about a job that came to the rules at `came`; nothing about a part of a job that the
    decision about the whole covers."""
    policy = rules.judge(job, came)
    if job.parent is None:
        return policy
    not_covered = covering.why_not(job, job.parent)
    if not not_covered:
        permit(job.parent, now=now)
        return None
    return permits.also_asked(policy, not_covered)


def _ask(job: Job, policy: Policy, where: dict[str, Any], now: datetime) -> None:
    move(
        job,
        Job.State.AWAITING,
        among=[Job.State.PREVIEWING],
        actor=None,
        where=where,
        detail={"why": list(policy.why), "rule": policy.rule, "version": policy.version},
        lease_until=None,
        progress={},
    )
    Request.objects.create(
        job=job,
        digest=job.plan.digest,
        why=list(policy.why),
        policy=policy.as_json(),
        follows=Request.objects.filter(job=job.plan.options.get("follows")).first(),
        expires_at=now + VALID_FOR,
        escalates_to=settings.ESCALATE_TO,
        escalates_at=now + timedelta(hours=settings.ESCALATE_HOURS),
    )


def permit(job: Job, *, now: datetime | None = None) -> None:
    """Asked when a worker begins: is what is about to be done still what was approved, by those who still may?

    Rules that look at the clock look at the moment when the job came to them; all else is as it is now. Raises
    NotPermittedError; NotYetError where it must wait for its change window.
    """
    now = now or timezone.now()
    asked = _asked(job, passing.moment(job) or now, now)
    request = Request.objects.filter(job=job).first()
    if request is not None:
        permits.check(job, request, now)
    elif asked is not None:
        raise permits.not_let_go(asked)


def decide(
    request: Request,
    reviewer: User,
    *,
    approve: bool,
    digest: str,
    reason: str,
    window: Window | None = None,
    now: datetime | None = None,
) -> None:
    """One person's decision about the digest that they have read; an approval lets the job begin in the `window` only.

    Raises RefusedError, PermissionDenied.
    """
    verdict = Verdict.APPROVE if approve else Verdict.REJECT
    _decide(request, reviewer, verdict, digest=digest, reason=reason, window=window, now=now or timezone.now())


def ask_changes(request: Request, reviewer: User, *, digest: str, reason: str, now: datetime | None = None) -> None:
    """Send the job back: a new plan is to be made in its place. Raises RefusedError, PermissionDenied."""
    _decide(request, reviewer, Verdict.CHANGES, digest=digest, reason=reason, window=None, now=now or timezone.now())


def demand_named(request: Request | None, user: User) -> None:
    """Raises NotAllowedError where neither their rights nor the request's policy let them decide."""
    if not rights.may(user, rights.DECIDE) and not (request and _named(request) & set(rights.roles_of(user))):
        raise rights.NotAllowedError(user, rights.DECIDE)


def _named(request: Request) -> set[str]:
    try:
        return {role for stage in standing.read(request.policy).stages for role in stage.groups}
    except UnreadablePolicyError:
        return set()


def _decide(
    request: Request,
    reviewer: User,
    verdict: Verdict,
    *,
    digest: str,
    reason: str,
    window: Window | None,
    now: datetime,
) -> None:
    demand_named(request, reviewer)
    try:
        with transaction.atomic():
            job = Job.objects.select_for_update().select_related("plan").get(pk=request.job_id)
            request.refresh_from_db()
            _refuse(request, job, reviewer, digest, now)
            if verdict != Verdict.APPROVE and not said(reason):
                what = "rejection" if verdict == Verdict.REJECT else "request for changes"
                raise RefusedError(f"A {what} needs a reason: the person who asked will read it.")
            stage, role = _stage_of(request, reviewer, now)
            _keep_window(request, window)
            Decision.objects.create(
                request=request,
                reviewer=reviewer,
                person=persons.person_of(reviewer),
                verdict=verdict,
                stage=stage,
                role=role,
                digest=digest,
                reason=reason,
            )
            _settle(request, job, reviewer, verdict, {"digest": digest, "reason": reason, "role": role}, now)
    except RefusedError as error:
        record(reviewer, "decision refused", request.job, {"why": str(error)}, result=Event.Result.REFUSED)
        raise


def _refuse(request: Request, job: Job, reviewer: User, digest: str, now: datetime) -> None:
    if hands.has(reviewer, job):
        raise RefusedError("You had a hand in asking for this job; somebody else must decide on it.")
    if request.state != Request.State.PENDING or job.state != Job.State.AWAITING:
        raise RefusedError(f"It is not open for a decision any more: the job is {job.state}.")
    if request.expires_at < now:
        raise RefusedError("The request has expired. A new plan shows what the job would do now.")
    if not digest == request.digest == job.plan.digest == job.plan.computed_digest():
        raise RefusedError("The plan is not the one that you were shown. Read it again and decide anew.")
    if persons.person_of(reviewer) in counting.persons_who_approved(request):
        raise RefusedError("You have approved it already; somebody else must give the next approval.")


def _stage_of(request: Request, reviewer: User, now: datetime) -> tuple[int, str]:
    try:
        found = of(request, now)
    except UnreadablePolicyError as error:
        raise RefusedError(str(error)) from error
    stage = found.stage_for(rights.roles_of(reviewer))
    if stage is None:
        raise RefusedError(f"It waits for {found.waits_for or 'nobody'}; you have none of these roles.")
    return stage


def _keep_window(request: Request, window: Window | None) -> None:
    """What the first approver said about the window stands for all."""
    if window is None:
        return
    chosen = windows.as_json(window)
    if request.window is not None and request.window != chosen:
        raise RefusedError(f"An earlier approval is for the window {request.window['name']}; that one stands.")
    if request.window is None:
        Request.objects.filter(pk=request.pk).update(window=chosen)
        request.refresh_from_db()


def _settle(
    request: Request, job: Job, reviewer: User, verdict: Verdict, detail: dict[str, Any], now: datetime
) -> None:
    """Have the job begin, end, or wait for the next approval."""
    if verdict != Verdict.APPROVE:
        move(request, ENDS[verdict], among=[Request.State.PENDING], actor=reviewer, detail=detail)
        said = "Rejected" if verdict == Verdict.REJECT else "Changes asked for"
        told = f"{said} by {reviewer.get_username()}: {detail['reason']}"
        end(job, Job.State.REJECTED, among=[Job.State.AWAITING], actor=reviewer, error=told)
        return
    found = of(request, now)
    if not found.complete:
        record(reviewer, "approval given", request, {**detail, "progress": str(found)})
        return
    begins = windows.opening(request.window, now) if request.window else None
    move(
        request,
        Request.State.APPROVED,
        among=[Request.State.PENDING],
        actor=reviewer,
        detail={**detail, "progress": str(found)} | ({"window": request.window["name"]} if request.window else {}),
        valid_until=(begins or now) + timedelta(hours=settings.APPROVAL_HOURS),
    )
    submission.queue(job, among=[Job.State.AWAITING], actor=reviewer, not_before=begins)


def of(request: Request, now: datetime, known: Known | None = None, *, lapsing: bool = True) -> Standing:
    """How far the decision is, by the approvals that count now (not `lapsing`: as it was when they were given);
    `known`: what was looked up of all its accounts. Raises UnreadablePolicyError."""
    also = request.escalates_to if request.escalates_at and request.escalates_at <= now else ""
    return standing.of(standing.read(request.policy), counting.given(request, known, lapsing=lapsing), also)


def waiting() -> QuerySet[Request]:
    """The requests that wait for a decision, oldest first."""
    found = Request.objects.filter(state=Request.State.PENDING, job__state=Job.State.AWAITING)
    decisions = Prefetch("decisions", Decision.objects.select_related("reviewer"))
    return found.select_related("job__plan", "job__requested_by").prefetch_related(decisions)


def pending(user: User, now: datetime | None = None) -> list[Request]:
    """Those on which this person may decide now."""
    roles = rights.roles_of(user)
    found = list(waiting()) if roles else []
    if not found:
        return []
    known, moment = counting.known_in(found, user.pk), now or timezone.now()
    return [request for request in found if may_decide(request, user, roles, moment, known)]


def may_decide(request: Request, user: User, roles: list[str], now: datetime, known: Known | None = None) -> bool:
    """Whether this person's decision would count now."""
    known = known or counting.known_in([request], user.pk)
    person = known.persons[user.pk]
    try:
        found = of(request, now, known)
    except UnreadablePolicyError:
        return False
    return (
        found.stage_for(roles) is not None
        and request.expires_at >= now
        and person not in {known.persons[account] for account in request.job.asked_by}
        and person not in counting.persons_who_approved(request, known)
    )
