"""A practice as its records grow: which record numbers there are, when each was made, and who wrote it last."""

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from random import Random

PER_ORG = "685146"
MORNING = tuple(
    f" {hour:02}:{minute:02}:{minute * 7 % 60:02}.{hour * 83:03}" for hour in (8, 9, 10) for minute in range(60)
)
AFTERNOON = tuple(
    f" {hour}:{minute:02}:{minute * 11 % 60:02}.{hour * 41}" for hour in (13, 14, 16) for minute in range(60)
)


@cache
def day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


class Series:
    """The record numbers of one extract in one practice, from 1. They grow with time, so a number tells its day."""

    def __init__(self) -> None:
        self._tops: list[int] = []
        self._spans: list[tuple[int, int, int]] = []  # the number before the first, the days of the first and the last
        self.touched: list[int] = []  # by the newest delta

    @property
    def size(self) -> int:
        return self._tops[-1] if self._tops else 0

    @property
    def first_size(self) -> int:
        """How many the baseline held: records point at these, so that they point at the same ones for ever."""
        return self._tops[0]

    def grow(self, count: int, since: int, until: int) -> range:
        """`count` new numbers, made from day `since` to day `until` (ordinals)."""
        below = self.size
        self._tops.append(below + count)
        self._spans.append((below, since, until))
        return range(below + 1, below + count + 1)

    def change(self, count: int, new: int, since: int, until: int, chance: Random) -> list[int]:
        """The numbers of a delta: `new` ones, a third of what the delta before touched, and any others of its time."""
        old = min(count - new, self.size)
        touched = [number for number in self.touched if self.born(number) <= until]
        numbers = set(chance.sample(touched, min(old // 3, len(touched))))
        while len(numbers) < old:
            number = chance.randint(1, self.size)
            if self.born(number) <= until:
                numbers.add(number)
        self.touched = [*sorted(numbers), *self.grow(count - old, since, until)]
        return self.touched

    def born(self, number: int) -> int:
        """The day (ordinal) on which the record was made."""
        place = bisect_left(self._tops, number)
        below, since, until = self._spans[place]
        return since + (until - since) * (number - below) // (self._tops[place] - below)


@dataclass
class Practice:
    """`first` is added to record numbers to make ids: practices whose sums overlap share ids.

    `opened` is the day (ordinal) of the baseline, `place` the practice's place in its organisation.
    """

    id: str
    name: str
    place: int
    first: int
    opened: int
    series: dict[str, Series] = field(default_factory=dict)
    providers: list[tuple[str, str]] = field(default_factory=list)  # id and full name

    def of(self, extract: str) -> Series:
        return self.series.setdefault(extract, Series())


@dataclass(frozen=True)
class Extraction:
    """A practice as it stands at one delivery: what the makers of its records ask.

    Changes fall on days `since` to `until` (ordinals). `chance` differs from delivery to delivery, where the `facts`
    that a maker gets are the same each time for the same record.
    """

    practice: Practice
    since: int
    until: int
    loaded: str
    chance: Random

    def key(self, number: int) -> str:
        return str(self.practice.first + number)

    def some(self, extract: str, facts: Random) -> str:
        """The id of a record of the baseline that a record points at."""
        return str(self.practice.first + 1 + int(facts.random() * self.practice.of(extract).first_size))

    def provider(self, facts: Random) -> tuple[str, str]:
        return facts.choice(self.practice.providers)

    def tenancy(self) -> dict[str, str]:
        return {"practice_id": self.practice.id, "per_org_id": PER_ORG, "loaded_date_time": self.loaded}

    def stamps(self, extract: str, number: int) -> dict[str, str]:
        """Who made the record and who changed it last; a change is never before the making."""
        born = self.practice.of(extract).born(number)
        earliest = max(born, self.since)
        changed = earliest + int(self.chance.random() * (self.until - earliest + 1))
        made_by, changed_by = self.practice.providers[number % len(self.practice.providers)], self.provider(self.chance)
        return {
            "inserted_at": day(born) + MORNING[number % len(MORNING)],
            "inserted_by_id": made_by[0],
            "inserted_by": made_by[1],
            "updated_at": day(changed) + self.chance.choice(AFTERNOON),
            "updated_by_id": changed_by[0],
            "updated_by": changed_by[1],
            "is_active": "1",
            "is_deleted": "0",
            **self.tenancy(),
        }
