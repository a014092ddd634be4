"""What a worker asks of an approval before it begins: does it still hold, all of it?"""

from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from access import rights
from approvals import counting, rules, standing, windows
from approvals.models import Emergency, Request
from approvals.policy import Policy
from approvals.standing import UnreadablePolicyError
from jobs.models import Job
from jobs.submission import NotPermittedError, NotYetError


def also_asked(policy: Policy | None, why: str) -> Policy:
    """The policy with one more reason; where there was none, whoever may decide decides."""
    found = policy or Policy("part of an approved job", 1, (), (rules.one_of_those_who_decide(),))
    return replace(found, why=(why, *found.why))


def not_let_go(policy: Policy) -> NotPermittedError:
    """About a job that the rules let go and would not let go any more: what they, or what they look at, say now."""
    found = f"{' '.join(policy.why)} Nothing was done."
    if not policy.stages:
        return NotPermittedError(f"The rule {policy.rule} refuses it now, and did not when the plan was made. {found}")
    return NotPermittedError(
        f"The plan needs an approval and has none: it was let go without, and would not be now. {found} Make a new"
        " plan; it waits for that approval. Of a rollout: abort it first; the waves that it has published stay."
    )


def check(job: Job, request: Request, now: datetime) -> None:
    """Raises NotPermittedError, NotYetError."""
    if request.state not in Request.PERMITTING:
        raise _without_approval()
    if not request.digest == job.plan.digest:
        raise _about_another()
    if request.state == Request.State.EMERGENCY:
        _check_emergency(job, request)
        return
    _check_approvals(request)
    if job.state == Job.State.QUEUED:
        _check_time(request, now)


def _without_approval() -> NotPermittedError:
    return NotPermittedError(
        "The plan needs an approval and has none. Nothing was done; make a new plan and have it approved."
    )


def _about_another() -> NotPermittedError:
    return NotPermittedError("The approval is about another plan. Nothing was done; make a new plan.")


def _check_approvals(request: Request) -> None:
    decisions = list(request.decisions.select_related("reviewer"))
    if any(not decision.approved for decision in decisions):
        raise _without_approval()
    if any(decision.digest != request.digest for decision in decisions):
        raise _about_another()
    try:
        found = standing.of(standing.read(request.policy), counting.given(request))
    except UnreadablePolicyError as error:
        raise NotPermittedError(f"{error} Nothing was done.") from error
    if found.complete:
        return
    if gone := counting.lapsed(request):
        raise NotPermittedError(
            f"{gone[0].reviewer.get_username()}, who approved it, may not decide any more. Nothing was done;"
            " make a new plan and have somebody else approve it."
        )
    raise NotPermittedError(f"The plan has {found}. Nothing was done; make a new plan and have it approved.")


def _check_emergency(job: Job, request: Request) -> None:
    emergency = Emergency.objects.select_related("by").filter(request=request).first()
    if emergency is None or emergency.digest != request.digest or not rights.may(emergency.by, rights.BREAK_GLASS):
        raise NotPermittedError("Nobody who may has let this plan through. Nothing was done; make a new plan.")


def _check_time(request: Request, now: datetime) -> None:
    """A job that has begun goes on; one that has not begins in its window, and not too long after its approval."""
    begins = windows.opening(request.window, now) if request.window else now
    if request.valid_until and request.valid_until < begins:
        until = timezone.localtime(request.valid_until)
        raise NotPermittedError(
            f"It was approved to begin before {until:%Y-%m-%d %H:%M %Z} and no worker took it up in time. Nothing was"
            " done; make a new plan and have it approved."
        )
    if begins > now:
        raise NotYetError(begins)
