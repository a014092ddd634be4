"""Which files of a selection go in which wave: the same selection is always split the same way.

Shares are counted in records. Every stratum (extract and practice) gets its share of every wave, as far as whole files
or practices allow; the first wave has at least one file of every extract, also where that makes it larger.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

SHARES = (1.0, 10.0, 50.0, 100.0)
BY = ("file", "practice")
UNTIL_PROMOTED = -1
MOST_WAVES = 20
MOST_PAUSE_MINUTES = 7 * 24 * 60


@dataclass(frozen=True)
class Rules:
    """`shares`: percent of all records that are published after each wave, ascending to 100. `by`: what is kept whole.
    `pause_minutes`: how long to wait after a wave whose checks passed (UNTIL_PROMOTED: for a person). `failures`: how
    many failed checks the whole rollout may have before it pauses."""

    shares: tuple[float, ...] = SHARES
    by: str = "file"
    pause_minutes: int = 0
    failures: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError, in words for the person who asked."""
        ascending = list(self.shares) == sorted(set(self.shares)) and all(map(isfinite, self.shares))
        if not self.shares or not ascending or not 0 < self.shares[0] <= 100:
            raise ValueError("Give the share after each wave in percent, each larger than the one before, up to 100.")
        if self.shares[-1] != 100:
            raise ValueError("The last wave must end at 100: the rest of the files would never be published.")
        if len(self.shares) > MOST_WAVES:
            raise ValueError(f"At most {MOST_WAVES} waves.")
        if self.by not in BY:
            raise ValueError(f"Waves are made by {' or '.join(BY)}.")
        if not UNTIL_PROMOTED <= self.pause_minutes <= MOST_PAUSE_MINUTES:
            raise ValueError(f"A pause lasts at most {MOST_PAUSE_MINUTES:,} minutes.")

    def as_json(self) -> dict[str, Any]:
        return {
            "waves": list(self.shares),
            "wave_by": self.by,
            "pause_minutes": self.pause_minutes,
            "failures": self.failures,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Rules":
        return cls(tuple(data["waves"]), data["wave_by"], data["pause_minutes"], data["failures"])


def shares(text: str) -> tuple[float, ...]:
    """ "1, 10, 50, 100" → numbers. Raises ValueError."""
    try:
        return tuple(float(part.strip().removesuffix("%")) for part in text.split(",") if part.strip())
    except ValueError:
        raise ValueError("Give the shares as numbers with commas between them: 1, 10, 50, 100.") from None


@dataclass(frozen=True)
class _Unit:
    """What is never split: a file, or all files of a practice."""

    items: tuple[dict[str, Any], ...]
    stratum: tuple[str, ...]
    mark: str

    @property
    def records(self) -> int:
        return sum(item["records"] or 0 for item in self.items)

    @property
    def extracts(self) -> set[str]:
        return {item["extract"] for item in self.items}


def split(items: Sequence[dict[str, Any]], rules: Rules) -> list[dict[str, Any]]:
    """The waves: number, share (as asked), files, records, and records up to here; a wave without a file is left out.

    `items`: included files of a plan, with file, key, extract, practice and records.
    """
    queues: dict[tuple[str, ...], list[_Unit]] = defaultdict(list)
    for unit in sorted(_units(items, rules.by), key=lambda unit: unit.mark):
        queues[unit.stratum].append(unit)
    totals = {stratum: sum(unit.records for unit in units) for stratum, units in queues.items()}
    had: dict[tuple[str, ...], int] = dict.fromkeys(totals, 0)
    whole, so_far = sum(totals.values()), 0
    made: list[dict[str, Any]] = []
    for share in rules.shares:
        wave = [] if made else _one_of_each(queues)
        for unit in wave:
            had[unit.stratum] += unit.records
        budget = whole * share / 100 - so_far - sum(unit.records for unit in wave)
        wave += _fill(queues, totals, had, budget, everything=share == rules.shares[-1])
        if wave:
            files = [item["file"] for unit in wave for item in unit.items]
            records = sum(unit.records for unit in wave)
            so_far += records
            made.append(
                {
                    "number": len(made) + 1,
                    "share": share,
                    "files": sorted(files),
                    "records": records,
                    "records_so_far": so_far,
                }
            )
    return made


def _units(items: Iterable[dict[str, Any]], by: str) -> list[_Unit]:
    if by == "file":
        return [_Unit((i,), (i["extract"], i.get("practice", "")), _mark(f"{i['file']} {i['key']}")) for i in items]
    practices: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in items:
        practices[item.get("practice", "")].append(item)
    return [
        _Unit(tuple(found), tuple(sorted({item["extract"] for item in found})), _mark(practice))
        for practice, found in practices.items()
    ]


def _mark(text: str) -> str:
    """An order that has nothing to do with age or size, and is the same every time."""
    return hashlib.sha256(text.encode()).hexdigest()


def _one_of_each(queues: dict[tuple[str, ...], list[_Unit]]) -> list[_Unit]:
    """The smallest units that together hold every extract; they leave their queues."""
    wanted = {extract for units in queues.values() for unit in units for extract in unit.extracts}
    taken: list[_Unit] = []
    for extract in sorted(wanted):
        if any(extract in unit.extracts for unit in taken):
            continue
        having = [unit for units in queues.values() for unit in units if extract in unit.extracts]
        smallest = min(having, key=lambda unit: (unit.records, unit.mark))
        queues[smallest.stratum].remove(smallest)
        taken.append(smallest)
    return taken


def _fill(
    queues: dict[tuple[str, ...], list[_Unit]],
    totals: dict[tuple[str, ...], int],
    had: dict[tuple[str, ...], int],
    budget: float,
    *,
    everything: bool,
) -> list[_Unit]:
    """Take the next unit of the stratum that has had the smallest part so far, while the budget lasts."""
    taken: list[_Unit] = []
    ready = [(had[stratum] / max(totals[stratum], 1), _mark(repr(stratum)), stratum) for stratum in queues]
    heapq.heapify(ready)
    while ready:
        _part, mark, stratum = heapq.heappop(ready)
        units = queues[stratum]
        chosen = next((unit for unit in units if everything or unit.records <= budget), None)
        if chosen is None:
            continue
        units.remove(chosen)
        taken.append(chosen)
        budget -= chosen.records
        had[stratum] += chosen.records
        heapq.heappush(ready, (had[stratum] / max(totals[stratum], 1), mark, stratum))
    return taken
