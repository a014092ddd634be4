"""Which approvals count: those of accounts that are active and still hold the role by which they approved, and whose
person has had no hand in asking for the job. It is asked whenever somebody decides, and when a worker begins."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from access import persons, rights
from approvals.models import Decision, Request
from approvals.standing import Given


@dataclass(frozen=True)
class Known:
    """What was looked up of many accounts at once. `persons`: account → person; `roles`: account → those that it has
    now, none where it is not active."""

    persons: Mapping[int, int]
    roles: Mapping[int, frozenset[str]]


def known_of(accounts: Collection[int]) -> Known:
    return Known(persons.of(accounts), rights.roles_of_accounts(accounts))


def known_in(requests: Iterable[Request], *more: int) -> Known:
    """Of all who had a hand in these requests or have decided on them, and of these accounts."""
    accounts = set(more)
    for request in requests:
        accounts |= request.job.asked_by | {decision.reviewer_id for decision in request.decisions.all()}
    return known_of(accounts)


def lapsed(request: Request, known: Known | None = None) -> list[Decision]:
    """The approvals that do not count any more."""
    approvals = [decision for decision in request.decisions.all() if decision.approved]
    if not approvals:
        return []
    known = known or known_in([request])
    hands = {known.persons[account] for account in request.job.asked_by}
    return [
        decision
        for decision in approvals
        if decision.role not in known.roles[decision.reviewer_id] or known.persons[decision.reviewer_id] in hands
    ]


def given(request: Request, known: Known | None = None, *, lapsing: bool = True) -> list[Given]:
    """The approvals that count (not `lapsing`: that were given); of accounts that have been linked since, as of one
    person."""
    known = known or known_in([request])
    gone = {decision.pk for decision in lapsed(request, known)} if lapsing else set()
    return [
        Given(known.persons[decision.reviewer_id], decision.stage)
        for decision in request.decisions.all()
        if decision.approved and decision.pk not in gone
    ]


def persons_who_approved(request: Request, known: Known | None = None) -> set[int]:
    """Whether or not it counts still: nobody approves a request twice."""
    known = known or known_in([request])
    return {known.persons[decision.reviewer_id] for decision in request.decisions.all() if decision.approved}
