"""Which rule catches a job: pure functions over what is known of the job.

What is not known, or holds of a part only, counts towards asking: a rule that lets go catches a job only where all of
its tables and extracts are named; a rule that asks, where one is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from approvals import rule_words
from approvals.rule_terms import NO_APPROVAL, Conditions, Range, Rule
from warehouse.amounts import word


@dataclass(frozen=True)
class Facts:
    """What a rule can ask about a job; None: not known.

    `measured`: whether jobs of its kind are measured by what they read and how long they take. `reasons`: what the
    plan itself knows to need a decision. `sums`: hours → records, its own and those let through before.
    """

    kind: str
    title: str
    measured: bool
    records: int | None
    seconds: float | None
    tables: frozenset[str] | None
    extracts: frozenset[str] | None
    roles: frozenset[str]
    environment: str
    destructive: bool
    reasons: tuple[str, ...]
    at: datetime
    sums: Mapping[int, int | None]


@dataclass(frozen=True)
class Answer:
    """`condition`: what the rule asks. `told`: what is true of the job, as a reason for a decision."""

    condition: str
    holds: bool
    told: str


def first(rules: Iterable[Rule], facts: Facts) -> tuple[Rule, list[Answer]] | None:
    """The first rule of which every condition holds, with the answers."""
    for rule in rules:
        answers = answers_of(rule, facts)
        if all(answer.holds for answer in answers):
            return rule, answers
    return None


def answers_of(rule: Rule, facts: Facts) -> list[Answer]:
    """What each condition of the rule says of the job, in the order in which they are written."""
    conditions = rule.conditions
    return [
        Answer(rule_words.condition(name, conditions), *answer(rule, conditions, facts))
        for name, answer in _ANSWERS.items()
        if getattr(conditions, name) not in (None, ())
    ]


Answering = Callable[[Rule, Conditions, Facts], tuple[bool, str]]


def _sized(answer: Answering) -> Answering:
    """Size says nothing of a kind that is not measured by it, but where the rule names the kind."""

    def guarded(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
        if facts.measured or facts.kind in conditions.kinds:
            return answer(rule, conditions, facts)
        return False, f"A job of the kind “{facts.title}” is not measured by its size."

    return guarded


@_sized
def _records(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    wanted, records = conditions.records or Range(0), facts.records
    if records is None:
        return wanted.holds(None), "The number of records is unknown."
    return wanted.holds(
        records
    ), f"It reads {rule_words.count(records)} records{_than(wanted, records, rule_words.count)}."


@_sized
def _seconds(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    wanted, seconds = conditions.seconds or Range(0), facts.seconds
    if seconds is None:
        return wanted.holds(None), "Its duration is unknown."
    return wanted.holds(
        seconds
    ), f"It may take {rule_words.length(seconds)}{_than(wanted, seconds, rule_words.length)}."


def _than(wanted: Range, value: float, say: Callable[[float], str]) -> str:
    if wanted.over is not None and value > wanted.over:
        return f", more than {say(wanted.over)}"
    if wanted.up_to is not None and value > wanted.up_to:
        return f", more than {say(wanted.up_to)}"
    return f", no more than {say(wanted.over if wanted.over is not None else wanted.up_to or 0)}"


@_sized
def _summed(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    wanted = conditions.summed
    if wanted is None:
        return True, ""
    total = facts.sums.get(wanted.hours)
    if total is None:
        return True, "How many records the same person has had read without approval is unknown."
    over, limit = total > wanted.over, rule_words.count(wanted.over)
    than = f", {'more' if over else 'no more'} than {limit}"
    return over, (
        f"With what the same person asked for in {rule_words.hours(wanted.hours)} and nobody had to approve, it reads"
        f" {rule_words.count(total)} records{than}."
    )


def _destructive(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    told = "It takes away or overwrites what is published or kept." if facts.destructive else "It is not destructive."
    return conditions.destructive == facts.destructive, told


def _kinds(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    return facts.kind in conditions.kinds, f"It is of the kind “{facts.title}”."


def _tables(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    return _named(rule, conditions.tables, facts.tables, "table")


def _extracts(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    return _named(rule, conditions.extracts, facts.extracts, "extract")


def _named(rule: Rule, wanted: Iterable[str], there: frozenset[str] | None, thing: str) -> tuple[bool, str]:
    lets_go = rule.outcome.act == NO_APPROVAL
    if there is None:
        return not lets_go, f"Which {thing}s it is about is unknown."
    among = there & set(wanted)
    holds = bool(among) and (there == among or not lets_go)
    if not there:
        return False, f"It is about no {thing}."
    part = " among others" if among and there != among else ""
    return holds, f"It is about the {word(len(there), thing)} {', '.join(sorted(among or there))}{part}."


def _roles(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    there = facts.roles & set(conditions.roles)
    told = ", ".join(sorted(there or facts.roles)) or "without a role"
    return bool(there), f"Who asks is {told}."


def _environments(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    return facts.environment in conditions.environments, f"The environment is {facts.environment}."


def _window(rule: Rule, conditions: Conditions, facts: Facts) -> tuple[bool, str]:
    window = conditions.window
    holds = window is None or window.holds(facts.at)
    return holds, f"It is {'within' if holds else 'outside'} {window}."


_ANSWERS: dict[str, Answering] = {
    "destructive": _destructive,
    "records": _records,
    "seconds": _seconds,
    "summed": _summed,
    "kinds": _kinds,
    "tables": _tables,
    "extracts": _extracts,
    "roles": _roles,
    "environments": _environments,
    "window": _window,
}
