"""An approval rule as a value: what must be true of a job, and what follows. Every part of it can be kept as JSON."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from approvals.policy import Stage
from approvals.time_of_week import TimeOfWeek

NO_APPROVAL, ASK, REFUSE = "no approval", "ask", "refuse"
ACTS = (NO_APPROVAL, ASK, REFUSE)
MOST_RULES = 50
MOST_STAGES = 3
MOST_APPROVALS = 5
LONGEST_NAME = 80
MOST_HOURS = 24 * 31


class NoRuleError(ValueError):
    """This is not a rule as Restage writes one; the message says what of it is not."""


@dataclass(frozen=True)
class Range:
    """More than `over`, and no more than `up_to`; None: no such limit. What is unknown is above any limit."""

    over: float | None = None
    up_to: float | None = None

    def __post_init__(self) -> None:
        _demand(_number(self.over) and _number(self.up_to), "a limit is no number")
        _demand(self.over is not None or self.up_to is not None, "a range has no limit")
        _demand(None in (self.over, self.up_to) or (self.over or 0) < (self.up_to or 0), "a range holds nothing")

    def holds(self, value: float | None) -> bool:
        if value is None:
            return self.up_to is None
        return (self.over is None or value > self.over) and (self.up_to is None or value <= self.up_to)


@dataclass(frozen=True)
class Summed:
    """More than `over` records in the last `hours`, by all that one person asked for and nobody had to approve."""

    over: int
    hours: int

    def __post_init__(self) -> None:
        _demand(_whole(self.over) and self.over >= 0, "a sum's limit is no number of records")
        _demand(_whole(self.hours) and 1 <= self.hours <= MOST_HOURS, f"a sum is not over 1 to {MOST_HOURS} hours")


@dataclass(frozen=True)
class Conditions:
    """All that are there must hold; empty: every job. Of several words in one condition, one is enough.

    `seconds`: the estimate of which nine of ten such jobs stay below. `roles`: of who asks.
    """

    records: Range | None = None
    seconds: Range | None = None
    summed: Summed | None = None
    destructive: bool | None = None
    kinds: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    extracts: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    window: TimeOfWeek | None = None

    def __post_init__(self) -> None:
        _demand(self.destructive in (None, True, False), "destructive is neither yes nor no")
        for name in ("kinds", "tables", "extracts", "roles", "environments"):
            _demand(all(isinstance(word, str) and word for word in getattr(self, name)), f"{name} are no words")

    @property
    def any_job(self) -> bool:
        return self == Conditions()


@dataclass(frozen=True)
class Outcome:
    """`stages` of who must approve, where it asks; `words` to whoever asked, where it refuses."""

    act: str
    stages: tuple[Stage, ...] = ()
    in_sequence: bool = True
    words: str = ""

    def __post_init__(self) -> None:
        _demand(self.act in ACTS, "nothing follows from it")
        _demand(bool(self.stages) == (self.act == ASK), "it asks without a stage, or has one without asking")
        _demand(len(self.stages) <= MOST_STAGES, f"it has more than {MOST_STAGES} stages")
        _demand(bool(self.words.strip()) == (self.act == REFUSE), "it refuses without words, or has words without")
        _demand(isinstance(self.in_sequence, bool), "its stages are neither in sequence nor at once")
        for stage in self.stages:
            _demand(_whole(stage.approvals) and 1 <= stage.approvals <= MOST_APPROVALS, "a stage needs no approval")
            _demand(
                bool(stage.groups) and all(isinstance(group, str) for group in stage.groups), "a stage has no group"
            )


@dataclass(frozen=True)
class Rule:
    """`key` tells it from the others of its set, through all its versions."""

    key: str
    name: str
    outcome: Outcome
    conditions: Conditions = field(default_factory=Conditions)

    def __post_init__(self) -> None:
        _demand(isinstance(self.key, str) and bool(self.key), "it has no key")
        _demand(isinstance(self.name, str) and 0 < len(self.name.strip()) <= LONGEST_NAME, "it has no name")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, found: Any) -> "Rule":
        """The rule that as_json() wrote, as JSON gives it back. Raises NoRuleError."""
        try:
            given = _exactly(cls, found)
            return cls(given["key"], given["name"], _outcome(given["outcome"]), _conditions(given["conditions"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NoRuleError(f"A rule cannot be read: {error}.") from error


def rules_of(found: Any) -> tuple[Rule, ...]:
    """The rules that a list of JSON says, in their order. Raises NoRuleError."""
    if not isinstance(found, list):
        raise NoRuleError("The rules are no list.")
    rules = tuple(Rule.of(each) for each in found)
    if len({rule.key for rule in rules}) != len(rules):
        raise NoRuleError("Two rules have the same key.")
    return rules


def _outcome(found: Any) -> Outcome:
    given = _exactly(Outcome, found)
    stages = tuple(Stage(_words(stage["groups"]), stage["approvals"]) for stage in given["stages"])
    return Outcome(given["act"], stages, given["in_sequence"], given["words"])


def _conditions(found: Any) -> Conditions:
    given = _exactly(Conditions, found)
    for name, kind in (("records", Range), ("seconds", Range), ("summed", Summed)):
        given[name] = None if given[name] is None else kind(**given[name])
    if given["window"] is not None:
        window = dict(given["window"])
        given["window"] = TimeOfWeek(**{**window, "weekdays": tuple(window["weekdays"])})
    for name in ("kinds", "tables", "extracts", "roles", "environments"):
        given[name] = _words(given[name])
    return Conditions(**given)


def _words(found: Any) -> tuple[str, ...]:
    if not isinstance(found, Collection) or isinstance(found, str):
        raise NoRuleError("some words are no list")
    return tuple(found)


def _exactly(kind: type[Any], found: Any) -> dict[str, Any]:
    """The fields of a value, all of them and no others: what a rule says and nobody reads must not look in force."""
    if not isinstance(found, Mapping) or set(found) != {each.name for each in fields(kind)}:
        raise NoRuleError(f"its {kind.__name__.lower()} has other parts than it must have")
    return dict(found)


def _number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NoRuleError(otherwise)
