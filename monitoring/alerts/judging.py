"""When a measured value is bad, and when bad values make an alert: pure rules over samples in time order."""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

LEAST_HISTORY = 10  # values without which nothing is said about what is usual
QUANTILE = 0.95
MEMORY = 1000  # values that count as "before"
FLAPS, FLAPPING_HOURS = 5, 6  # so many changes in so many hours


@dataclass(frozen=True)
class Sample:
    """One measured value. `series`: what it is one of a row of; `subject`: what it was measured on ("kind:id").
    `final`: it will not change any more; a value that still grows can be bad already and is never good yet."""

    series: str
    subject: str
    at: datetime
    value: float
    final: bool = True


@dataclass(frozen=True)
class Limit:
    """`above` (else below) `threshold`, strictly; of what is usual (`relative`), the threshold is a factor of the 95th
    percentile of the values before. Alerts where `x` of the last `y` are bad, and is over after `recover` good ones."""

    threshold: float
    above: bool = True
    relative: bool = False
    x: int = 1
    y: int = 1
    recover: int = 1


@dataclass(frozen=True)
class Verdict:
    """`limit`: what the value was compared with (None: not enough is known). `bad` None: nobody can tell yet."""

    sample: Sample
    limit: float | None
    bad: bool | None


@dataclass(frozen=True)
class Incident:
    """A stretch of a series in which a rule alerts. `over`: when it recovered (None: not yet)."""

    series: str
    began: datetime
    subjects: tuple[str, ...]
    over: datetime | None


class History:
    """The last MEMORY values, in their order and by size."""

    def __init__(self, values: Iterable[float] = ()) -> None:
        self._values: deque[float] = deque()
        self._ordered: list[float] = []
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        if len(self._values) == MEMORY:
            del self._ordered[bisect_left(self._ordered, self._values.popleft())]
        self._values.append(value)
        insort(self._ordered, value)

    def usual(self) -> float | None:
        """The 95th percentile; None of fewer than LEAST_HISTORY values."""
        number = len(self._ordered)
        return self._ordered[math.ceil(QUANTILE * number) - 1] if number >= LEAST_HISTORY else None


def verdicts(samples: Iterable[Sample], limit: Limit) -> list[Verdict]:
    """Judge the samples of one series in their order, what is usual by the final ones before each."""
    history, found = History(), []
    for sample in samples:
        usually = history.usual() if limit.relative else 1.0
        line = None if usually is None else limit.threshold * usually
        found.append(Verdict(sample, line, _bad(sample, line, above=limit.above)))
        if sample.final and limit.relative:
            history.add(sample.value)
    return found


def _bad(sample: Sample, line: float | None, *, above: bool) -> bool | None:
    if line is None:
        return None
    over = sample.value > line if above else sample.value < line
    if sample.final:
        return over
    return True if above and over else None


def alerting(judged: Sequence[Verdict], limit: Limit) -> list[Verdict]:
    """The bad ones among these (one series, in order) that are one of x bad within y in a row."""
    told = [verdict for verdict in judged if verdict.bad is not None]
    found: dict[str, Verdict] = {}
    for end in range(len(told)):
        row = [verdict for verdict in told[max(0, end + 1 - limit.y) : end + 1] if verdict.bad]
        if told[end].bad and len(row) >= limit.x:
            found |= {verdict.sample.subject: verdict for verdict in row}
    return list(found.values())


def recovered(bad: Sequence[bool], recover: int) -> bool:
    """Whether the last `recover` of these, in order, are all good."""
    return len(bad) >= recover and not any(bad[-recover:])


def fires(bad: Sequence[bool], limit: Limit) -> bool:
    """Whether the last of these is bad, and x of the last y are."""
    return bool(bad) and bad[-1] and sum(bad[-limit.y :]) >= limit.x


def incidents(judged: Sequence[Verdict], limit: Limit) -> list[Incident]:
    """What the rule would have made of one series: each stretch from its alert to its recovery."""
    found: list[Incident] = []
    row: list[Verdict] = []
    living: list[Verdict] = []
    for verdict in judged:
        if verdict.bad is None:
            continue
        row.append(verdict)
        flags = [bool(one.bad) for one in row[-max(limit.y, limit.recover) :]]
        if verdict.bad and (living or fires(flags, limit)):
            living += [v for v in (row[-limit.y :] if not living else [verdict]) if v.bad]
        elif living and recovered(flags, limit.recover):
            found.append(_incident(living, verdict.sample.at))
            living = []
    return found + ([_incident(living, None)] if living else [])


def _incident(living: Sequence[Verdict], over: datetime | None) -> Incident:
    subjects = tuple(dict.fromkeys(verdict.sample.subject for verdict in living))
    return Incident(living[0].sample.series, living[0].sample.at, subjects, over)


def flapping(changes: Sequence[datetime], now: datetime) -> bool:
    """Whether something comes and goes so often that each change need not be told."""
    lately = [at for at in changes if (now - at).total_seconds() < FLAPPING_HOURS * 3600]
    return len(lately) >= FLAPS
