"""What a feed has held so far, and how a batch looks against it: measures that need the earlier batches."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitoring.quality.profile import NO_FLOATS, NO_HASHES, Bag, Column, Floats, Hashes, Profile, counted

MOST_VALUES = 200_000  # of a column; a column with more is not asked whether a value is new
MOST_ROWS = 2_000_000
MOST_PAIRED = 24  # columns that are compared pairwise
MOST_PAIR_VALUES = 400  # distinct values of a column that is looked at together with others
FORGETTING = 0.85
MARKS_KEPT = 12
FAMILIAR = 5.0  # rows a value must have had to be expected in its usual company


@dataclass
class Seen:
    """Distinct things, how many rows had each, and the same with a memory that fades."""

    hashes: Hashes = field(default_factory=lambda: NO_HASHES)
    counts: Floats = field(default_factory=lambda: NO_FLOATS)
    recent: Floats = field(default_factory=lambda: NO_FLOATS)
    full: bool = False

    def find(self, hashes: Hashes) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
        """(place, known) of each."""
        if not len(self.hashes) or not len(hashes):
            return np.zeros(len(hashes), int), np.zeros(len(hashes), bool)
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return at, self.hashes[at] == hashes

    def add(self, bag: Bag) -> None:
        if self.full or not len(bag.hashes):
            return
        at, known = self.find(bag.hashes)
        self.recent *= FORGETTING
        self.counts[at[known]] += bag.counts[known]
        self.recent[at[known]] += bag.counts[known]
        if known.all():
            return
        new = bag.hashes[~known]
        if len(self.hashes) + len(new) > MOST_VALUES:
            self.full = True
            return
        place = np.searchsorted(self.hashes, new)
        self.hashes = np.insert(self.hashes, place, new)
        self.counts = np.insert(self.counts, place, bag.counts[~known])
        self.recent = np.insert(self.recent, place, bag.counts[~known])


@dataclass
class Past:
    """Of one column. `read`: values so far; `read_numbers`, `read_times`: those that were numbers, dates."""

    values: Seen = field(default_factory=Seen)
    masks: Seen = field(default_factory=Seen)
    grams: Seen = field(default_factory=Seen)
    least: float = np.inf
    most: float = -np.inf
    marks: list[Floats] = field(default_factory=list)
    middle: float = np.nan
    batches: int = 0
    constant: int = 0
    nulls: bool = False
    broken: bool = False
    unique: bool = True
    numbers_only: bool = True
    times_only: bool = True
    typed_times: bool = True
    rows: float = 0.0
    read: float = 0.0
    read_numbers: float = 0.0
    read_times: float = 0.0

    def add(self, column: Column) -> None:
        self.batches += 1
        self.constant += _constant(column)
        self.nulls |= column.shares.get("null", 0.0) > 0
        self._note(column)
        if len(column.marks):
            self.middle = float(column.marks[len(column.marks) // 2])
        self.values.add(column.values)
        self.masks.add(column.masks)
        self.grams.add(column.grams)
        if len(column.marks):
            self.least = min(self.least, float(column.marks[0]))
            self.most = max(self.most, float(column.marks[-1]))
            self.marks = [*self.marks[-MARKS_KEPT + 1 :], column.marks]

    @property
    def null_rate(self) -> float:
        """The share of rows without a value, never quite 0."""
        return (self.rows - self.read + 1) / (self.rows + 2)

    def is_key(self, least: int, least_again: int) -> bool:
        """Whether every row of a batch had a value of its own, so far, and not just because there are so many."""
        if not self.unique:
            return False
        return self.read >= (least if len(self.values.hashes) == self.read else least_again)

    def _note(self, column: Column) -> None:
        kept = column.filled - column.shares.get("null", 0.0)
        self.rows += column.filled
        if not kept:
            return
        self.read += kept
        self.read_numbers += kept * np.nan_to_num(column.levels.get("as_number", 0.0))
        self.read_times += kept * np.nan_to_num(column.levels.get("as_time", 0.0))
        self.numbers_only &= column.levels.get("as_number", 0.0) == 1.0
        self.times_only &= column.levels.get("as_time", 0.0) == 1.0
        self.typed_times &= column.kind == "time"
        self.broken |= column.shares.get("broken", 0.0) > 0
        self.unique &= len(column.values.hashes) == kept


class Memory:
    """`most_redelivered`, `most_again`: of any batch, shares of its rows; `least_rows`: of any batch."""

    def __init__(self) -> None:
        self.most_redelivered = 0.0
        self.most_again = 0.0
        self.least_rows = np.inf
        self.columns: dict[str, Past] = {}
        self.rows: Hashes = NO_HASHES
        self.cores: Hashes = NO_HASHES
        self.pairs: dict[tuple[str, str], Hashes] = {}

    def add(self, profile: Profile) -> None:
        self.most_redelivered = max(self.most_redelivered, self.again(profile)[0])
        self.most_again = max(self.most_again, profile.again / max(1, profile.rows))
        self.least_rows = min(self.least_rows, profile.rows)
        for name, column in profile.columns.items():
            self.columns.setdefault(name, Past()).add(column)
        if len(self.rows) < MOST_ROWS:
            self.rows = _merged(self.rows, profile.row_hashes)
            self.cores = _merged(self.cores, profile.core_hashes)
        for pair, hashes in self._together(profile).items():
            seen = self.pairs.get(pair, NO_HASHES)
            if len(seen) <= MOST_VALUES:
                self.pairs[pair] = _merged(seen, hashes)

    def is_stamp(self, column: Column) -> bool:
        """Whether the column bears one value a batch, another one each time, and does so again: its date, say."""
        past = self.columns.get(column.name)
        if past is None or not _constant(column) or past.constant < 0.95 * past.batches:
            return False
        one_more = len(column.marks) > 0 and 0 < float(column.marks[0]) - past.most <= 1
        return one_more or past.values.full or len(past.values.hashes) > 1

    def again(self, profile: Profile) -> tuple[float, float]:
        """Shares of the distinct rows that an earlier batch had: whole, and without what is constant in the batch."""
        return _known(self.rows, profile.row_hashes), _known(self.cores, profile.core_hashes)

    def shares(self, column: Column) -> dict[str, float]:
        """Rows of a column that are unlike anything before."""
        past = self.columns.get(column.name)
        if past is None or not column.filled:
            return {}
        found = {}
        for share, seen, bag in (
            ("new_value", past.values, column.values),
            ("new_mask", past.masks, column.masks),
            ("new_gram", past.grams, column.grams),
        ):
            if not seen.full and len(seen.hashes):
                _, known = seen.find(bag.hashes)
                found[share] = min(float(column.filled), float(bag.counts[~known].sum()))
        return found

    def levels(self, column: Column) -> dict[str, float]:
        """How far the values of a column are distributed otherwise than lately."""
        past = self.columns.get(column.name)
        if past is None or not column.filled:
            return {}
        found: dict[str, float] = {}
        seen = past.values
        if not seen.full and len(column.values.hashes) and len(seen.hashes) and seen.recent.sum() > 0:
            found |= _distances(seen, column.values)
        if past.masks.recent.sum() > 0 and len(column.masks.hashes):
            found["mask_distance"] = _distances(past.masks, column.masks)["distance"]
        if past.grams.recent.sum() > 0 and len(column.grams.hashes):
            found["gram_distance"] = _distances(past.grams, column.grams)["distance"]
        if past.marks and len(column.marks):
            found["backward"] = float(column.marks[len(column.marks) // 2] < past.middle)
            found |= _steps(np.sort(np.concatenate(past.marks)), column.marks)
        return found

    def lone_nulls(self, profile: Profile) -> dict[str, float]:
        """Pair → rows where only the first is empty, of columns that have been empty before."""
        cells = profile.cells
        if cells is None or not len(cells.hashes):
            return {}
        may = [i for i, name in enumerate(cells.named) if name in self.columns and self.columns[name].nulls]
        may = may[:MOST_PAIRED]
        empty = (cells.hashes[:, may] == 0).astype(float)
        alone = empty.T @ (1 - empty) * (profile.rows / len(cells.hashes))
        return {
            f"{cells.named[one]}\x1f{cells.named[other]}": float(alone[i, j])
            for i, one in enumerate(may)
            for j, other in enumerate(may)
            if i != j
        }

    def beyond(self, profile: Profile) -> dict[str, dict[str, float]]:
        """Column → rows whose number lies outside of all that was ever seen, and outside of all but the rarest."""
        cells = profile.cells
        found: dict[str, dict[str, float]] = {}
        if cells is None or not len(cells.numbers):
            return {}
        scale = profile.rows / len(cells.numbers)
        for at, name in enumerate(cells.numeric):
            past = self.columns.get(name)
            if past is None or not past.marks:
                continue
            values = cells.numbers[:, at]
            room = 1e-9 * max(abs(past.least), abs(past.most), 1e-9)
            outside = (values < past.least - room) | (values > past.most + room)
            found[name] = {"beyond": scale * float(outside.sum())}
        return found

    def unusual_company(self, profile: Profile) -> dict[str, float]:
        """Column → most rows, over its partners, whose values both are familiar but never stood together."""
        cells = profile.cells
        if cells is None:
            return {}
        scale = profile.rows / max(1, len(cells.hashes))
        familiar: dict[str, NDArray[np.bool_]] = {}
        at = {name: i for i, name in enumerate(cells.named)}
        found: dict[str, float] = {}
        for (one, other), hashes in self._together(profile).items():
            seen = self.pairs.get((one, other))
            if seen is None or len(seen) > MOST_VALUES:
                continue
            for name in (one, other):
                if name not in familiar:
                    past = self.columns[name].values
                    place, known = past.find(cells.hashes[:, at[name]])
                    familiar[name] = known & (past.counts[place] >= FAMILIAR) if len(past.counts) else known
            known = _among(seen, hashes)
            share = scale * float((~known & familiar[one] & familiar[other]).sum())
            found[f"{one}\x1f{other}"] = share
        return found

    def _together(self, profile: Profile) -> dict[tuple[str, str], Hashes]:
        """Row by row the values of two columns as one hash, of columns with few values."""
        cells = profile.cells
        if cells is None or not len(cells.hashes):
            return {}
        at = {name: i for i, name in enumerate(cells.named)}
        few = [
            name
            for name, column in profile.columns.items()
            if 1
            < len(self.columns[name].values.hashes if name in self.columns else column.values.hashes)
            <= MOST_PAIR_VALUES
        ][:MOST_PAIRED]
        return {
            (one, other): cells.hashes[:, at[one]] * np.uint64(31) ^ cells.hashes[:, at[other]]
            for i, one in enumerate(few)
            for other in few[i + 1 :]
        }


def orders(profile: Profile) -> dict[str, tuple[float, float]]:
    """Pair of numeric columns → rows where the first is less, and where both are equal."""
    cells = profile.cells
    if cells is None or not len(cells.numbers):
        return {}
    numbers, names = cells.numbers[:, :MOST_PAIRED], cells.numeric[:MOST_PAIRED]
    scale = profile.rows / len(numbers)
    found = {}
    with np.errstate(invalid="ignore"):
        for i, one in enumerate(names[:-1]):
            less = (numbers[:, i : i + 1] < numbers[:, i + 1 :]).sum(axis=0) * scale
            same = (numbers[:, i : i + 1] == numbers[:, i + 1 :]).sum(axis=0) * scale
            for j, other in enumerate(names[i + 1 :]):
                found[f"{one}\x1f{other}"] = (float(less[j]), float(same[j]))
    return found


def _constant(column: Column) -> bool:
    return len(column.values.hashes) == 1 and column.shares.get("null", 0.0) == 0


def _known(seen: Hashes, hashes: Hashes) -> float:
    return float(_among(seen, hashes).mean()) if len(hashes) else 0.0


def _among(seen: Hashes, hashes: Hashes) -> NDArray[np.bool_]:
    if not len(seen):
        return np.zeros(len(hashes), bool)
    among: NDArray[np.bool_] = seen[np.minimum(np.searchsorted(seen, hashes), len(seen) - 1)] == hashes
    return among


def _merged(seen: Hashes, hashes: Hashes) -> Hashes:
    """Both, ascending, each once."""
    new = counted(hashes[~_among(seen, hashes)]).hashes
    return np.insert(seen, np.searchsorted(seen, new), new) if len(new) else seen


def _distances(seen: Seen, bag: Bag) -> dict[str, float]:
    """Total variation to the recent batches, and the share that was expected and is not there."""
    at, known = seen.find(bag.hashes)
    usual = seen.recent / seen.recent.sum()
    now = np.zeros(len(usual))
    total = bag.total
    now[at[known]] = bag.counts[known] / total
    new = float(bag.counts[~known].sum() / total)
    expected = float((usual * (1 - usual) ** total).sum())
    return {
        "distance": 0.5 * (float(np.abs(usual - now).sum()) + new),
        "absent": float(usual[now == 0].sum()) - expected,
    }


def _steps(usual: Floats, marks: Floats) -> dict[str, float]:
    """Kolmogorov–Smirnov distance between the quantiles of the recent batches and of this one."""
    points = np.concatenate([usual, marks])
    left = np.searchsorted(usual, points, side="right") / len(usual)
    right = np.searchsorted(np.sort(marks), points, side="right") / len(marks)
    left_open = np.searchsorted(usual, points, side="left") / len(usual)
    right_open = np.searchsorted(np.sort(marks), points, side="left") / len(marks)
    return {"steps": float(max(np.abs(left - right).max(), np.abs(left_open - right_open).max()))}
