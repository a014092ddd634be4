"""Bars over time, drawn on the server: places in a drawing of WIDTH by HEIGHT that is stretched to its room."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from monitoring.tables import DAY, HOUR, Column, Table

WIDTH, HEIGHT = 1000.0, 100.0
LEAST = 1.5  # a part that is there can be seen


@dataclass(frozen=True)
class Series:
    """`css`: in which of the states' colours; `kind`: how its numbers are written."""

    label: str
    css: str
    kind: str
    values: Sequence[float]

    @property
    def total(self) -> float:
        return sum(self.values)


@dataclass(frozen=True)
class Chart:
    """Series stacked upon each other, with the table that says the same. `most`: what the full height stands for."""

    title: str
    series: tuple[Series, ...]
    table: Table
    moments: tuple[datetime, ...]
    by_hour: bool
    summed: bool = True

    @cached_property
    def most(self) -> float:
        return max((sum(values) for values in zip(*(s.values for s in self.series), strict=True)), default=0)

    @cached_property
    def paths(self) -> list[tuple[str, str]]:
        """(colour, path) of each series, all its bars in one: a year of days is a thousand of them."""
        step = WIDTH / len(self.moments)
        width = step - min(step * 0.2, 4)
        bars: list[list[str]] = [[] for _ in self.series]
        for place, values in enumerate(zip(*(s.values for s in self.series), strict=True)):
            top = HEIGHT
            for drawn, value in zip(bars, values, strict=True):
                if value:
                    height = min(max(LEAST, value / self.most * HEIGHT), top)
                    top -= height
                    drawn.append(f"M{place * step:.1f} {top:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z")
        return [(series.css, "".join(drawn)) for series, drawn in zip(self.series, bars, strict=True) if drawn]

    @property
    def first(self) -> datetime:
        return self.moments[0]

    @property
    def last(self) -> datetime:
        return self.moments[-1]

    @property
    def most_kind(self) -> str:
        return self.series[0].kind


def over_time(
    name: str, title: str, moments: Sequence[datetime], series: Sequence[Series], *, by_hour: bool, summed: bool = True
) -> Chart:
    """A chart, and its table of the moments at which there is anything."""
    columns = (
        Column("Hour" if by_hour else "Day", HOUR if by_hour else DAY),
        *(Column(s.label, s.kind) for s in series),
    )
    rows: list[tuple[Any, ...]] = [
        (moment, *values) for moment, *values in zip(moments, *(s.values for s in series), strict=True) if any(values)
    ]
    return Chart(title, tuple(series), Table(name, title, columns, rows), tuple(moments), by_hour, summed)
