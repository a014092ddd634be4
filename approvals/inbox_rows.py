"""What waits for a decision, each with how far it is and what it is to the reader."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from access import rights
from approvals import counting, gate
from approvals.counting import Known
from approvals.models import Request
from approvals.standing import UnreadablePolicyError


@dataclass(frozen=True)
class Row:
    """`mine`: the reader may decide on it now; `asked`: they had a hand in asking."""

    request: Request
    standing: str
    mine: bool
    asked: bool


def of(user: User, now: datetime) -> list[Row]:
    """Oldest first."""
    roles, requests = rights.roles_of(user), list(gate.waiting())
    known = counting.known_in(requests, user.pk)
    return [
        Row(
            one,
            standing(one, now, known),
            gate.may_decide(one, user, roles, now, known),
            known.persons[user.pk] in {known.persons[account] for account in one.job.asked_by},
        )
        for one in requests
    ]


def standing(request: Request, now: datetime, known: Known | None = None) -> str:
    try:
        return str(gate.of(request, now, known, lapsing=request.job.active))
    except UnreadablePolicyError:
        return "its policy cannot be read"


def as_json(request: Request, now: datetime) -> dict[str, Any]:
    """As commands and the API tell it; of a job that is over as it was decided."""
    gone = counting.lapsed(request) if request.job.active else []
    return {
        "job": str(request.job_id),
        "kind": request.job.kind,
        "state": request.state,
        "why": request.why,
        "reason": request.job.plan.reason,
        "asked_by": request.job.requested_by.get_username(),
        "records": request.job.plan.records,
        "digest": request.digest,
        "policy": {name: request.policy.get(name) for name in ("rule", "version")},
        "standing": standing(request, now),
        "approved_by": [
            one.reviewer.get_username() for one in request.decisions.all() if one.approved and one not in gone
        ],
        "asked_at": request.created_at.isoformat(),
        "open_until": request.expires_at.isoformat(),
        "page": request.job.get_absolute_url(),
    }
