"""What the page of a job shows of its request: why, how far, who, what was said, and what the reader may do."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from access import rights
from approvals import comments, confirming, counting, gate, hands, windows
from approvals.forms import CommentForm, DecisionForm, WithdrawalForm
from approvals.models import Emergency, Request, Window
from approvals.standing import Standing, UnreadablePolicyError
from jobs.models import Job


def context(user: User, session: SessionBase, job: Job) -> dict[str, Any]:
    """`approval` None: nothing was asked."""
    approval = Request.objects.select_related("follows__job").filter(job=job).first()
    own = hands.has(user, job)
    if approval is None:
        return {"approval": None, "own": own, "may_decide": False}
    approval.job = job
    now, roles = timezone.now(), rights.roles_of(user)
    waits = approval.state == Request.State.PENDING and job.state == Job.State.AWAITING
    discusses = rights.may(user, rights.DISCUSS)
    found = _standing(approval, now)
    return {
        "approval": approval,
        "decisions": approval.decisions.select_related("reviewer"),
        "lapsed": counting.lapsed(approval) if job.active else [],
        "emergency": Emergency.objects.filter(request=approval).select_related("by", "reviewed_by").first(),
        "waits": waits,
        "standing": str(found) if found else "The policy cannot be read: nobody can decide. A new plan is needed.",
        "stages": _stages(found) if found else [],
        "in_sequence": bool(found and found.policy.in_sequence and len(found.policy.stages) > 1),
        "window_told": windows.told(approval.window) if approval.window else "",
        "opens": job.not_before if job.not_before and job.not_before > now and job.state == Job.State.QUEUED else None,
        "own": own,
        "may_decide": waits and gate.may_decide(approval, user, roles, now),
        "form": DecisionForm(initial={"digest": job.plan.digest}),
        "windows": approval.window is None and Window.objects.exists(),
        "asks_password": confirming.needed(session, now),
        "said": comments.last(approval),
        "follows": approval.follows,
        "followed_by": Request.objects.filter(follows=approval).select_related("job"),
        "comment_form": CommentForm() if discusses else None,
        "withdrawal_form": WithdrawalForm() if waits and own else None,
        "may_remind": waits and own and discusses,
        "may_break": waits and rights.may(user, rights.BREAK_GLASS),
    }


def _standing(approval: Request, now: datetime) -> Standing | None:
    """Of a job that is over as it was decided, whoever has left since."""
    try:
        return gate.of(approval, now, lapsing=approval.job.active)
    except UnreadablePolicyError:
        return None


def _stages(found: Standing) -> list[dict[str, Any]]:
    """Each stage in words, with its colour."""
    told = []
    for number, (stage, given) in enumerate(zip(found.policy.stages, found.given, strict=True)):
        done, opened = given >= stage.approvals, number in found.open
        told.append(
            {
                "roles": " or ".join(stage.groups),
                "told": f"{min(given, stage.approvals)} of {stage.approvals}",
                "state": "ok" if done else "attention" if opened else "neutral",
                "label": "Approved" if done else "Waiting" if opened else "Later",
            }
        )
    return told
