"""The acts on the set of approval rules: draft, propose, and have somebody else put it in force.

There is one draft at a time. A proposal takes effect when a person accepts it who had no hand in it; requests that
wait then keep the policy under which they were made.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max

from access import persons, rights
from approvals import rule_digest, rule_shipped, rule_words
from approvals.rule_models import RuleVersion
from approvals.rule_terms import MOST_RULES, NoRuleError, Rule, rules_of
from audit.models import Event
from audit.reasons import said
from audit.transitions import StateChangedError, move, record
from warehouse.errors import TellableError

State = RuleVersion.State


class CannotChangeRulesError(TellableError):
    """The rules cannot be changed so; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class InForce:
    """The rules by which jobs are judged. `problem`: why none can be trusted, so that every job asks ("": they can)."""

    number: int
    rules: tuple[Rule, ...]
    problem: str = ""


def in_force() -> InForce:
    """The version in force, checked each time: that it is the newest one, as it was accepted, and can be read."""
    found = RuleVersion.objects.filter(state=State.IN_FORCE).first()
    if found is None or found.number is None:
        return InForce(0, (), "There are no approval rules in force, so every job needs an approval.")
    newest = RuleVersion.objects.aggregate(newest=Max("number"))["newest"]
    told = f"Version {found.number} of the approval rules"
    if newest != found.number or not rule_digest.fits(found):
        return InForce(found.number, (), f"{told} is not as it was accepted, so every job needs an approval.")
    try:
        rules = found.parsed
    except NoRuleError:
        return InForce(found.number, (), f"{told} cannot be read, so every job needs an approval.")
    if not rules:
        return InForce(found.number, (), f"{told} is empty, so every job needs an approval.")
    return InForce(found.number, rules)


def open_one() -> RuleVersion | None:
    """The draft or proposal that there is."""
    return RuleVersion.objects.filter(state__in=RuleVersion.OPEN).order_by("id").last()


def begin(actor: User, now: datetime) -> RuleVersion:
    """Begin a draft with the rules in force; where these cannot be trusted, with those that Restage comes with.

    Raises PermissionDenied, CannotChangeRulesError.
    """
    rights.demand(actor, rights.MANAGE_RULES)
    current = in_force()
    rules = rule_shipped.shipped() if current.problem else [rule.as_json() for rule in current.rules]
    try:
        with transaction.atomic():
            if open_one():
                raise CannotChangeRulesError("There is a draft or a proposal already. Go on with that one.")
            made = RuleVersion.objects.create(rules=rules, authors=[actor.pk], begun_at=now)
            record(actor, "rules draft begun", made, {"from version": current.number})
    except IntegrityError as error:
        raise CannotChangeRulesError("Somebody else has just begun a draft. Go on with that one.") from error
    return made


def add(draft: RuleVersion, actor: User, rule: Rule, *, revision: int) -> None:
    """Put a rule before the first one that catches every job, else at the end. Its key is made here.

    Raises PermissionDenied, CannotChangeRulesError, as all that follow.
    """

    def added(rules: list[Rule]) -> tuple[list[Rule], dict[str, Any]]:
        if len(rules) >= MOST_RULES:
            raise CannotChangeRulesError(f"There are {MOST_RULES} rules; that is the most. Remove one first.")
        new = replace(rule, key=_free_key(rules, draft))
        place = next((n for n, each in enumerate(rules) if each.conditions.any_job), len(rules))
        return [*rules[:place], new, *rules[place:]], {"rule": new.name, "after": rule_words.told(new)}

    _change(draft, actor, revision, "rule added", added)


def change(draft: RuleVersion, actor: User, rule: Rule, *, revision: int) -> None:
    """Put another rule in the place of the one with its key."""

    def changed(rules: list[Rule]) -> tuple[list[Rule], dict[str, Any]]:
        former = _of(rules, rule.key)
        told = {"rule": rule.name, "before": rule_words.told(former), "after": rule_words.told(rule)}
        named = told if former.name == rule.name else {**told, "called before": former.name}
        return [rule if each.key == rule.key else each for each in rules], named

    _change(draft, actor, revision, "rule changed", changed)


def remove(draft: RuleVersion, actor: User, key: str, *, revision: int) -> None:
    """Take a rule out of the draft."""

    def removed(rules: list[Rule]) -> tuple[list[Rule], dict[str, Any]]:
        gone = _of(rules, key)
        return [each for each in rules if each.key != key], {"rule": gone.name, "before": rule_words.told(gone)}

    _change(draft, actor, revision, "rule removed", removed)


def reorder(draft: RuleVersion, actor: User, keys: Sequence[str], *, revision: int) -> None:
    """Put the rules in this order, which must name each of them once."""

    def reordered(rules: list[Rule]) -> tuple[list[Rule], dict[str, Any]]:
        if sorted(keys) != sorted(rule.key for rule in rules):
            raise CannotChangeRulesError("The order does not name every rule of the draft once.")
        new = [_of(rules, key) for key in keys]
        return new, {"before": [rule.name for rule in rules], "after": [rule.name for rule in new]}

    _change(draft, actor, revision, "rules reordered", reordered)


Changing = Callable[[list[Rule]], tuple[list[Rule], dict[str, Any]]]


def _change(draft: RuleVersion, actor: User, revision: int, action: str, changing: Changing) -> None:
    rights.demand(actor, rights.MANAGE_RULES)
    with transaction.atomic():
        locked = _locked(draft, State.DRAFT, revision)
        rules, detail = changing(list(_parsed(locked)))
        locked.rules = [rule.as_json() for rule in rules]
        locked.authors = sorted({*locked.authors, actor.pk})
        locked.revision += 1
        locked.save(update_fields=["rules", "authors", "revision"])
        record(actor, action, locked, detail)


def propose(draft: RuleVersion, actor: User, *, reason: str, revision: int, now: datetime) -> None:
    """Ask for somebody else's yes to the draft as it stands. Raises PermissionDenied, CannotChangeRulesError."""
    rights.demand(actor, rights.MANAGE_RULES)
    if not said(reason):
        raise CannotChangeRulesError("Say why the rules should change: whoever decides reads it.")
    with transaction.atomic():
        locked = _locked(draft, State.DRAFT, revision)
        current, rules = in_force(), _parsed(locked)
        if not rules:
            raise CannotChangeRulesError("The draft has no rule. Without rules every job needs an approval; add one.")
        if not current.problem and rules == current.rules:
            raise CannotChangeRulesError(f"The draft says what version {current.number} says. Change something first.")
        locked.authors = sorted({*locked.authors, actor.pk})
        move(
            locked,
            State.PROPOSED,
            among=[State.DRAFT],
            actor=actor,
            detail={"reason": reason, "from version": current.number, "differences": told_differences(current, rules)},
            authors=locked.authors,
            reason=said(reason),
            digest=rule_digest.of(locked),
            proposed_by=actor,
            proposed_at=now,
            note="",
        )


def take_back(proposal: RuleVersion, actor: User) -> None:
    """Make the proposal a draft again. Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.MANAGE_RULES)
    _to_draft(proposal, actor, {"taken back": True})


def drop(draft: RuleVersion, actor: User, *, revision: int) -> None:
    """Give the draft up as it was seen. Raises PermissionDenied, CannotChangeRulesError."""
    rights.demand(actor, rights.MANAGE_RULES)
    with transaction.atomic():
        move(_locked(draft, State.DRAFT, revision), State.DROPPED, among=[State.DRAFT], actor=actor)


def accept(proposal: RuleVersion, actor: User, *, digest: str, now: datetime) -> int:
    """Put the proposal in force, as its reader has seen it; its number.

    Raises PermissionDenied, CannotChangeRulesError, and StateChangedError where somebody decided before.
    """
    with _refusals_noted(proposal, actor), transaction.atomic():
        locked = _decidable(proposal, actor, digest)
        if _parsed(locked) == ():
            raise CannotChangeRulesError("The proposal has no rule.")
        current = RuleVersion.objects.select_for_update().filter(state=State.IN_FORCE).first()
        if current:
            move(current, State.FORMER, among=[State.IN_FORCE], actor=actor)
        locked.number = (RuleVersion.objects.aggregate(last=Max("number"))["last"] or 0) + 1
        locked.decided_by = actor
        move(
            locked,
            State.IN_FORCE,
            among=[State.PROPOSED],
            actor=actor,
            detail={"number": locked.number, "reason": locked.reason, "rules": told_rules(locked)},
            number=locked.number,
            digest=rule_digest.of(locked),
            decided_by=actor,
            decided_at=now,
        )
        return int(locked.number)


def send_back(proposal: RuleVersion, actor: User, *, digest: str, note: str) -> None:
    """Turn the proposal down: it is a draft again, with a note to its authors. Raises as accept()."""
    with _refusals_noted(proposal, actor), transaction.atomic():
        locked = _decidable(proposal, actor, digest)
        if not said(note):
            raise CannotChangeRulesError("Say what is wrong with it: its authors will read it.")
        _to_draft(locked, actor, {"sent back": True, "reason": note}, note=said(note))


def _to_draft(proposal: RuleVersion, actor: User, detail: dict[str, Any], **fields: Any) -> None:
    cleared: dict[str, Any] = {"digest": "", "proposed_by": None, "proposed_at": None}
    move(proposal, State.DRAFT, among=[State.PROPOSED], actor=actor, detail=detail, **cleared, **fields)


@contextmanager
def _refusals_noted(proposal: RuleVersion, actor: User) -> Iterator[None]:
    """Writes in the trail that a decision was refused, and why."""
    rights.demand(actor, rights.DECIDE)
    try:
        yield
    except CannotChangeRulesError as error:
        record(actor, "decision refused", proposal, {"why": str(error)}, result=Event.Result.REFUSED)
        raise


def _decidable(proposal: RuleVersion, actor: User, digest: str) -> RuleVersion:
    locked = RuleVersion.objects.select_for_update().get(pk=proposal.pk)
    if locked.state != State.PROPOSED:
        raise StateChangedError("It is not open for a decision any more.")
    if persons.person_of(actor) in persons.of(locked.authors).values():
        raise CannotChangeRulesError("You had a hand in this proposal; somebody else must decide on it.")
    if digest != locked.digest or not rule_digest.fits(locked):
        raise CannotChangeRulesError("The proposal is not the one that you were shown. Read it again and decide anew.")
    return locked


def _locked(draft: RuleVersion, state: str, revision: int) -> RuleVersion:
    locked = RuleVersion.objects.select_for_update().get(pk=draft.pk)
    if locked.state != state:
        raise CannotChangeRulesError(f"It is not a draft any more: it is {locked.state}. Nothing was changed.")
    if locked.revision != revision:
        raise CannotChangeRulesError("Somebody else has changed the draft meanwhile. Read it again and do it anew.")
    return locked


def _parsed(version: RuleVersion) -> tuple[Rule, ...]:
    try:
        return version.parsed
    except NoRuleError as error:
        raise CannotChangeRulesError(f"The draft is damaged. {error} Drop it and begin anew.") from error


def _of(rules: Sequence[Rule], key: str) -> Rule:
    found = next((rule for rule in rules if rule.key == key), None)
    if found is None:
        raise CannotChangeRulesError("The draft has no such rule any more. Nothing was changed.")
    return found


def _free_key(rules: Sequence[Rule], draft: RuleVersion) -> str:
    """One that neither the draft has nor any version had, so that a removed rule is never taken for a new one."""
    return f"{draft.pk}-{draft.revision}-{len(rules)}"


def told_rules(version: RuleVersion) -> list[str]:
    return [f"{rule.name}: {rule_words.told(rule)}" for rule in rules_of(version.rules)]


def told_differences(current: InForce, rules: Sequence[Rule]) -> list[str]:
    found = rule_words.differences(current.rules, rules)
    return [" · ".join(filter(None, (each.change, each.name, each.before, each.after))) for each in found]
