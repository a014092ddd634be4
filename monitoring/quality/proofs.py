"""What needs no statistics: a batch that shows one of these is wrong, however new the feed is.

Each proof looks for something that no earlier batch of the feed has ever shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from monitoring.quality.memory import Memory, Past
from monitoring.quality.profile import Column, Profile

LEAST_SHARE = 0.01
LEAST_ROWS = 2
LEAST_KEYS = 50  # values, none of them ever twice, that a column must have had before it is taken for a key
LEAST_KEYS_AGAIN = 1_000  # the same, of a column whose values come again in later batches
LEAST_EXPECTED = 5  # rows that every batch had, before one without any is wrong
MOST_BY_CHANCE = 1e-4  # that a column is empty in every row
LEAST_READ = 50  # values that must have been read as numbers or times before one that is not is wrong
LEAST_BATCHES_AGAIN = 3  # before rows that were delivered before are odd: a feed may deliver all it has each time
MOST_AGAIN = 0.2  # of the rows, above what any earlier batch had of still earlier ones


@dataclass(frozen=True)
class Proof:
    """`size`: share of the rows. `column` "" where it concerns the rows."""

    measure: str
    column: str
    size: float
    told: str


def proofs(profile: Profile, memory: Memory, *, batches: int) -> list[Proof]:
    """Largest first."""
    if not batches:
        return []
    found = [*_of_rows(profile, memory, batches)]
    if profile.rows:
        found += _of_columns_gone(profile, memory, batches)
        for column in profile.columns.values():
            past = memory.columns.get(column.name)
            if past is not None:
                found += _of_column(column, past)
    return sorted(found, key=lambda proof: -proof.size)


def _of_rows(profile: Profile, memory: Memory, batches: int) -> Iterator[Proof]:
    if not profile.rows:
        if memory.least_rows >= LEAST_EXPECTED:
            yield Proof("rows", "", 1.0, "There are no rows; no batch before was empty.")
        return
    whole, _ = memory.again(profile)
    if batches >= LEAST_BATCHES_AGAIN and whole > memory.most_redelivered + MOST_AGAIN:
        yield Proof("redelivered", "", whole, f"{_share(whole)} of the rows were delivered before.")
    if profile.again and not memory.most_again and _enough(profile.again, profile.rows):
        size = profile.again / profile.rows
        yield Proof("again", "", size, f"{profile.again:,} rows stand in it twice; no batch before had any.")


def _of_columns_gone(profile: Profile, memory: Memory, batches: int) -> Iterator[Proof]:
    always = {name for name, past in memory.columns.items() if past.batches == batches}
    for name in always - profile.columns.keys():
        yield Proof("schema", name, 1.0, f"The column {name} is missing.")
    for name in profile.columns.keys() - memory.columns.keys():
        yield Proof("schema", name, 1.0, f"The column {name} is new.")


def _of_column(column: Column, past: Past) -> Iterator[Proof]:
    name, rows = column.name, max(1, column.filled)
    kept = rows - column.shares.get("null", 0.0)
    if not kept:
        if not past.nulls and past.null_rate**rows < MOST_BY_CHANCE:
            yield Proof("null", name, 1.0, f"{name} is empty in every row; no row before was.")
        return
    wrong = column.shares.get("not_number", 0.0)
    if past.read_numbers >= LEAST_READ and past.numbers_only and wrong:
        yield Proof("not_number", name, wrong / rows, f"{name} is no number in {_share(wrong / rows)} of the rows.")
    wrong = column.shares.get("untimely", 0.0)
    if past.read_times >= LEAST_READ and past.times_only and wrong:
        yield Proof("untimely", name, wrong / rows, f"{name} is no date in {_share(wrong / rows)} of the rows.")
    elif past.read_times >= LEAST_READ and past.times_only and len(past.masks.hashes) == 1:
        _, known = past.masks.find(column.masks.hashes)
        other = float(column.masks.counts[~known].sum()) / rows
        if other:
            yield Proof("new_mask", name, other, f"{name} has dates in another format in {_share(other)} of the rows.")
    if past.read_times >= LEAST_READ and past.typed_times and column.kind == "text":
        yield Proof("as_time", name, 1.0, f"{name} came as dates so far and comes as text now.")
    broken = column.shares.get("broken", 0.0)
    if broken and not past.broken:
        told = f"{name} has text in a wrong encoding in {_share(broken / rows)} of the rows."
        yield Proof("broken", name, broken / rows, told)
    twice = kept - len(column.values.hashes)
    if past.is_key(LEAST_KEYS, LEAST_KEYS_AGAIN) and _enough(twice, rows):
        told = f"{name} was different in every row of every batch; {int(twice):,} rows repeat one."
        yield Proof("key", name, twice / rows, told)


def _enough(count: float, rows: int) -> bool:
    return count >= LEAST_ROWS and count / rows >= LEAST_SHARE


def _share(part: float) -> str:
    return f"{100 * part:.1f} %"
