"""Approval rules in words: conditions, outcomes, and what differs between two sets of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from approvals.policy import Stage
from approvals.rule_terms import ASK, NO_APPROVAL, Conditions, Outcome, Range, Rule
from jobs import kinds
from warehouse.amounts import word

NUMBERS = ("no", "one", "two", "three", "four", "five")


def count(number: float) -> str:
    return f"{number:,.0f}"


def length(seconds: float) -> str:
    """ "2 h 30 min", "40 min", "1.5 s": what is more than a limit never reads like it."""
    if seconds < 60:
        return f"{round(seconds, 1):g} s"
    hours, rest = divmod(ceil(seconds), 3600)
    parts = ((hours, "h"), (rest // 60, "min"), (rest % 60, "s"))
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number)


def hours(number: int) -> str:
    return "the last hour" if number == 1 else f"the last {number} hours"


def condition(name: str, conditions: Conditions) -> str:
    """One condition, by the name of its field."""
    return _CONDITIONS[name](conditions)


def conditions_of(rule: Rule) -> list[str]:
    """Every condition of the rule; none: it catches every job."""
    found = rule.conditions
    return [condition(name, found) for name in _CONDITIONS if getattr(found, name) not in (None, ())]


def sentence(rule: Rule) -> str:
    """The whole rule but for its name."""
    found = conditions_of(rule)
    return f"{' and '.join(found)[:1].upper()}{' and '.join(found)[1:]}" if found else "Every job"


def outcome(found: Outcome) -> str:
    if found.act == NO_APPROVAL:
        return "no approval"
    if found.act != ASK:
        return f"refused: {found.words}"
    link = ", then " if found.in_sequence else ", and at the same time "
    return link.join(stage(each) for each in found.stages)


def stage(found: Stage) -> str:
    """ "one approval by reviewer or administrator"."""
    number = NUMBERS[found.approvals] if found.approvals < len(NUMBERS) else str(found.approvals)
    return f"{number} {word(found.approvals, 'approval')} by {_either(found.groups)}"


@dataclass(frozen=True)
class Difference:
    """`change`: added, removed, changed or moved."""

    change: str
    name: str
    before: str
    after: str


def differences(before: Sequence[Rule], after: Sequence[Rule]) -> list[Difference]:
    """What makes the later set another than the former one, in the later one's order and then what is gone."""
    were, are = {rule.key: rule for rule in before}, {rule.key: rule for rule in after}
    found = [*_new_or_changed(were, after), *_moved(before, after)]
    gone = [Difference("removed", rule.name, told(rule), "") for key, rule in were.items() if key not in are]
    return [*found, *gone]


def _new_or_changed(were: dict[str, Rule], after: Sequence[Rule]) -> list[Difference]:
    found = []
    for rule in after:
        former = were.get(rule.key)
        if former is None:
            found.append(Difference("added", rule.name, "", told(rule)))
        elif former != rule:
            name = "" if former.name == rule.name else f"{former.name}: "
            found.append(Difference("changed", rule.name, f"{name}{told(former)}", told(rule)))
    return found


def _moved(before: Sequence[Rule], after: Sequence[Rule]) -> list[Difference]:
    """As few as explain the new order of those that stay; by their places in the whole set."""
    places = {rule.key: place for place, rule in enumerate(before, start=1)}
    stay = [(places[rule.key], place, rule) for place, rule in enumerate(after, start=1) if rule.key in places]
    unmoved = _longest_rise([former for former, _place, _rule in stay])
    return [
        Difference("moved", rule.name, f"place {former}", f"place {place}")
        for former, place, rule in stay
        if former not in unmoved
    ]


def _longest_rise(numbers: Sequence[int]) -> set[int]:
    """The most of them that stand in rising order."""
    best: list[tuple[int, ...]] = [()]
    for number in numbers:
        before = [rise for rise in best if not rise or rise[-1] < number]
        best.append((*_longest(before), number))
    return set(_longest(best))


def _longest(rises: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return max(rises, key=lambda rise: len(rise))


def told(rule: Rule) -> str:
    return f"{sentence(rule)}: {outcome(rule.outcome)}"


def _limits(found: Range | None, say: Callable[[float], str]) -> str:
    parts = []
    if found is not None and found.over is not None:
        parts.append(f"more than {say(found.over)}")
    if found is not None and found.up_to is not None:
        parts.append(f"no more than {say(found.up_to)}")
    return " and ".join(parts)


def _records(found: Conditions) -> str:
    return f"{_limits(found.records, count)} records"


def _seconds(found: Conditions) -> str:
    return f"a duration of {_limits(found.seconds, length)}"


def _summed(found: Conditions) -> str:
    over = count(found.summed.over) if found.summed else ""
    within = hours(found.summed.hours) if found.summed else ""
    return f"more than {over} records by the same person in {within}, unless approved"


def _destructive(found: Conditions) -> str:
    return "destructive" if found.destructive else "not destructive"


def _kinds(found: Conditions) -> str:
    titles = {kind.name: kind.title for kind in kinds.known()}
    return f"of the kind {_either([titles.get(name, name) for name in found.kinds])}"


def _tables(found: Conditions) -> str:
    return f"about stg.{_either(found.tables)}"


def _extracts(found: Conditions) -> str:
    return f"about the extract {_either(found.extracts)}"


def _roles(found: Conditions) -> str:
    return f"asked for by {_either(found.roles)}"


def _environments(found: Conditions) -> str:
    return f"in the environment {_either(found.environments)}"


def _window(found: Conditions) -> str:
    return f"within {found.window}"


def _either(words: Iterable[str]) -> str:
    *former, last = words
    return f"{', '.join(former)} or {last}" if former else last


_CONDITIONS: dict[str, Callable[[Conditions], str]] = {
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
