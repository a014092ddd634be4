"""What is known of one batch once its rows are gone: counts, moments, and hashes of what it held."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

NO_HASHES: Hashes = np.empty(0, dtype=np.uint64)
NO_FLOATS: Floats = np.empty(0, dtype=np.float64)


@dataclass(frozen=True)
class Bag:
    """Distinct things by their hash, ascending, and how many rows hold each."""

    hashes: Hashes = field(default_factory=lambda: NO_HASHES)
    counts: Floats = field(default_factory=lambda: NO_FLOATS)

    @property
    def total(self) -> float:
        return float(self.counts.sum())


def counted(hashes: Hashes) -> Bag:
    """Sorted rather than hashed: numpy's own unique() is ten times slower on these."""
    if not len(hashes):
        return Bag()
    ordered = np.sort(hashes)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return Bag(ordered[first], np.diff(np.append(first, len(ordered))).astype(float))


@dataclass(frozen=True)
class Column:
    """`shares`: measure → rows it holds for, each of `filled` rows. `levels`: measure → value, NaN where unknown.

    `errors`: measure → standard error of a level by sampling alone. `kind`: number or time as the batch types it, else
    text. `marks`: 33 quantiles of the numbers (or of the days since 1970 of the times). `values`, `masks`, `grams`:
    distinct values, character patterns, trigrams.
    """

    name: str
    filled: int
    shares: Mapping[str, float]
    levels: Mapping[str, float]
    errors: Mapping[str, float]
    marks: Floats = field(default_factory=lambda: NO_FLOATS)
    kind: str = "text"
    values: Bag = field(default_factory=Bag)
    masks: Bag = field(default_factory=Bag)
    grams: Bag = field(default_factory=Bag)


@dataclass(frozen=True)
class Cells:
    """The rows themselves, as far as relations between columns need them: never stored, never shown.

    `numbers`: rows × `numeric`, NaN where there is none. `hashes`: rows × `named`, 0 where empty.
    """

    numeric: tuple[str, ...]
    numbers: Floats
    named: tuple[str, ...]
    hashes: Hashes


@dataclass(frozen=True)
class Profile:
    """`rows`: how many. `again`: rows that stand in the batch more than once, each but the first.

    `row_hashes`: distinct, ascending, of whole rows. `core_hashes`: the same without the columns that are constant in
    the batch (its date, say), so that a delivery under a new date is known again.
    """

    rows: int
    again: int
    columns: Mapping[str, Column]
    row_hashes: Hashes
    core_hashes: Hashes
    cells: Cells | None = None
