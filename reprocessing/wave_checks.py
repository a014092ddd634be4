"""What is looked at after each wave, before the next: every check passes, fails, or cannot tell.

A room that judges the quality of what a job has published registers its verdict here.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from jobs.models import Job

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"

MOST_MORE_REJECTED = 0.01  # of the records read, above the share of the attempts that were replaced
MOST_DRIFT = 0.2  # fewer or more records than in the attempts that were replaced
MOST_MORE_CHANGED = 0.05  # of the keys touched, above the share of the whole preview; or three standard deviations
LEAST = 30  # records or keys: what fewer say is no evidence


@dataclass(frozen=True)
class Check:
    """`figure`, `limit`: in words, "" where there is none."""

    name: str
    result: str
    figure: str
    limit: str
    told: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Part:
    """What a wave did to one extract. `before_*` is of the attempts that were replaced (None: unknown)."""

    extract: str
    read: int
    rejected: int
    before_read: int | None
    before_rejected: int | None
    touched: int
    changed: int
    whole_touched: int
    whole_changed: int


def check(parts: list[Part], breakers: Mapping[str, str]) -> list[Check]:
    """Rejects, drift, share of changes, breakers. `breakers`: extract → state, of those that are not closed."""
    return [
        _worst("rejects", [_rejects(part) for part in parts]),
        _worst("records", [_drift(part) for part in parts]),
        _worst("changes", [_changes(part) for part in parts]),
        _breakers(breakers),
    ]


def _worst(name: str, found: list[Check]) -> Check:
    """One check over all extracts: it fails where one fails, and cannot tell where no extract can."""
    for result in (FAIL, PASS):
        alike = sorted((one for one in found if one.result == result), key=lambda one: -_number(one.figure))
        if alike:
            told = alike[0].told if result == PASS else " ".join(one.told for one in alike)
            if result == PASS and len(alike) > 1:
                told += f" {len(alike) - 1:,} more extracts, none with more."
            return Check(name, result, alike[0].figure, alike[0].limit, told)
    return Check(name, INCONCLUSIVE, "", "", " ".join(one.told for one in found))


def _number(figure: str) -> float:
    return float(figure.split()[0].replace(",", "") or 0) if figure else 0.0


def _rejects(part: Part) -> Check:
    if not part.before_read or part.before_rejected is None:
        return _open("rejects", f"{part.extract}: nothing is known of the attempts replaced.")
    if part.read < LEAST:
        return _open("rejects", f"{part.extract}: {part.read:,} records are too few.")
    now, before = part.rejected / part.read, part.before_rejected / part.before_read
    limit = before + MOST_MORE_REJECTED
    told = f"{part.extract}: {_share(now)} of the records were rejected, {_share(before)} before."
    return Check("rejects", FAIL if now > limit else PASS, _share(now), _share(limit), told)


def _drift(part: Part) -> Check:
    if not part.before_read:
        return _open("records", f"{part.extract}: nothing is known of the attempts replaced.")
    if max(part.read, part.before_read) < LEAST:
        return _open("records", f"{part.extract}: {part.read:,} records are too few.")
    drift = abs(part.read - part.before_read) / part.before_read
    told = f"{part.extract}: {part.read:,} records, {part.before_read:,} before."
    return Check("records", FAIL if drift > MOST_DRIFT else PASS, _share(drift), _share(MOST_DRIFT), told)


def _changes(part: Part) -> Check:
    if part.touched < LEAST or not part.whole_touched:
        return _open("changes", f"{part.extract}: {part.touched:,} keys are too few.")
    now, whole = part.changed / part.touched, part.whole_changed / part.whole_touched
    limit = whole + max(MOST_MORE_CHANGED, 3 * sqrt(whole * (1 - whole) / part.touched))
    told = f"{part.extract}: {_share(now)} of the keys changed, {_share(whole)} in the whole preview."
    return Check("changes", FAIL if now > limit else PASS, _share(now), _share(limit), told)


def _breakers(states: Mapping[str, str]) -> Check:
    told = " ".join(f"The circuit breaker of {extract} is {state}." for extract, state in states.items())
    if "open" in states.values():
        return Check("breakers", FAIL, "", "", told)
    if states:
        return Check("breakers", INCONCLUSIVE, "", "", told)
    return Check("breakers", PASS, "", "", "All closed.")


def _open(name: str, told: str) -> Check:
    return Check(name, INCONCLUSIVE, "", "", told)


def _share(part: float) -> str:
    return f"{100 * part:.1f} %"


Verdict = Callable[[Job], Check | None]
_verdicts: list[Verdict] = []


def judged_by(verdict: Verdict) -> None:
    """Have this asked after every wave, with the wave's job; None where it has nothing to say."""
    _verdicts.append(verdict)


def verdicts(job: Job) -> list[Check]:
    return [found for verdict in _verdicts if (found := verdict(job)) is not None]


def outcome(checks: list[dict[str, Any]]) -> str:
    """The result of a wave from its checks."""
    results = {check["result"] for check in checks}
    return FAIL if FAIL in results else INCONCLUSIVE if INCONCLUSIVE in results else PASS
