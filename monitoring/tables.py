"""A table of figures: shown on a page, and as CSV the same."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from access import zones
from audit import spreadsheet

TEXT, ID, COUNT, SHARE, SECONDS, BYTES, MOMENT, DAY, HOUR, SPARK, STATE = (
    *("text", "id", "count", "share", "seconds", "bytes", "moment", "day", "hour", "spark", "state"),
)
NUMBERS = frozenset({COUNT, SHARE, SECONDS, BYTES})


@dataclass(frozen=True)
class Column:
    """`kind`: how its values are written. A `minor` one is not shown on a phone."""

    label: str
    kind: str = TEXT
    minor: bool = False


@dataclass(frozen=True)
class Linked:
    value: Any
    url: str


@dataclass(frozen=True)
class Spark:
    """A small line beside a number: a value for each step, None where there was nothing."""

    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Table:
    """`name` stands in addresses; `empty`: why it is empty, and what fills it."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    empty: str = "Nothing in this time."

    def csv(self) -> Iterator[str]:
        """A line at a time: shares as fractions, durations in seconds, moments in ISO form, in the console's zone."""
        kept = [n for n, column in enumerate(self.columns) if column.kind != SPARK]
        yield spreadsheet.line(self.columns[n].label for n in kept)
        for row in self.rows:
            yield spreadsheet.line(_plain(row[n]) for n in kept)


def _plain(value: Any) -> object:
    if isinstance(value, Linked):
        return _plain(value.value)
    if isinstance(value, datetime):
        return value.astimezone(zones.console()).isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.3f}"
    return f"{value:.6g}" if isinstance(value, float) else value
