"""What can be wrong with a file, or odd: each takes the records of a good one and gives those to write."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import cycle, zip_longest
from typing import Protocol

from warehouse.registry import Column, Extract
from warehouse.sample.files import ZONE

REJECTED = 14  # one record of so many: 7 %
REPEATED = 12
ON_THE_NIGHT = 4
UNFIT = {  # in the order in which they come
    "key": ("", "  "),
    "date": ("31/12/2024", "2024-02-30", "0000-00-00", "unknown"),
    "numeric": ("12,50", "$40.00", "123456789012.00"),
    "required": ("",),
    "timestamp": ("18 Aug 2025", "2025-13-01 10:00:00", "soon"),
    "integer": ("n/a", "fifteen", "99999999999"),
    "timestamptz": ("18/08/2025 10:44", "2025-08-18 25:61:00", "yesterday"),
    "boolean": ("maybe",),
}
AROUND_THE_CHANGE = ("02:30", "02:00", "02:59", "03:00", "01:59", "02:15", "01:30", "02:45", "03:30")


class Flaw(Protocol):
    def __call__(self, records: Iterable[list[str]], extract: Extract, /) -> Iterator[list[str]]: ...


def one_short(records: Iterable[list[str]], extract: Extract, /) -> Iterator[list[str]]:
    """Every record lacks the last field: no record of the file can be read."""
    for fields in records:
        yield fields[:-1]


def one_over(records: Iterable[list[str]], extract: Extract, /) -> Iterator[list[str]]:
    """Every record has a column in its midst that is not declared."""
    for fields in records:
        middle = len(fields) // 2
        yield [*fields[:middle], "0", *fields[middle:]]


def none(records: Iterable[list[str]], extract: Extract, /) -> Iterator[list[str]]:
    """A file of zero rows."""
    return iter(())


def unfit(records: Iterable[list[str]], extract: Extract, /) -> Iterator[list[str]]:
    """About 7 % of the records have a value that is not of its type, or a required field empty."""
    wrongs = cycle(_wrongs(extract))
    for count, fields in enumerate(records):
        if count % REJECTED == 3:
            place, text = next(wrongs)
            yield [*fields[:place], text, *fields[place + 1 :]]
        else:
            yield fields


def repeated(records: Iterable[list[str]], extract: Extract, /) -> Iterator[list[str]]:
    """Some records come twice: as they are, or changed later the same day."""
    updated = _places(extract)["updated_at"]
    for count, fields in enumerate(records):
        yield fields
        if count % REPEATED == 0:
            yield fields
        elif count % REPEATED == REPEATED // 2:
            yield [*fields[:updated], fields[updated][:10] + " 19:05:00.000", *fields[updated + 1 :]]


class OnTheNight:
    """Appointments of an after-hours clinic in the night in which New Zealand's clocks change."""

    def __init__(self, night: date, extracted: date) -> None:
        self._day = night.isoformat()
        self._columns = ["schedule_date", "start_time", "arrived", "arrived_time"]
        if night == extracted:
            self._columns.append("updated_at")  # wall clock: an hour that is missing or comes twice

    def __call__(self, records: Iterable[list[str]], extract: Extract, /) -> Iterator[list[str]]:
        places, clock = _places(extract), cycle(AROUND_THE_CHANGE)
        for count, fields in enumerate(records):
            if count % ON_THE_NIGHT == 0:
                text = f"{self._day} {next(clock)}:00.000"
                for place in (places[name] for name in self._columns):
                    fields[place] = fields[place] and text  # who never arrived does not arrive
                fields[places["end_time"]] = f"{self._day} 04:00:00.000"
            yield fields


def last_clock_change(until: date) -> date:
    """The last day, `until` at the latest, on which the clocks of New Zealand changed."""
    day = until
    while _offset(day) == _offset(day + timedelta(days=1)):
        day -= timedelta(days=1)
    return day


def _offset(day: date) -> timedelta | None:
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).utcoffset()


def _places(extract: Extract) -> dict[str, int]:
    return {column.name: place for place, column in enumerate(extract.columns)}


def _wrongs(extract: Extract) -> list[tuple[int, str]]:
    """Places with texts that make a row be rejected there, for the first column of each kind."""
    places: dict[str, int] = {}
    for place, column in enumerate(extract.columns):
        if kind := _kind(column, extract):
            places.setdefault(kind, place)
    mixed = zip_longest(*([(places[kind], text) for text in UNFIT[kind]] for kind in UNFIT if kind in places))
    return [wrong for round_of_kinds in mixed for wrong in round_of_kinds if wrong]


def _kind(column: Column, extract: Extract) -> str | None:
    if column.name == extract.natural_key[0]:
        return "key"
    if column.required:
        return "required"
    bare = column.type.partition("(")[0]
    return bare if bare in UNFIT and column.invalid == "reject" and not column.cast else None
