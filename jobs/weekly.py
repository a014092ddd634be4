"""Times of the week by the wall clock of a zone: an hour that comes twice is in them twice. Pure.

A time that does not end after its beginning ends on the next day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

known_zones = cache(available_timezones)  # of this process: what it reads are files
AHEAD = 16  # days: where the clocks skip a weekly time, it comes the week after
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Weekly:
    """`weekdays`: 0 is Monday; the days on which it begins."""

    weekdays: tuple[int, ...]
    begins: time
    ends: time
    zone: ZoneInfo

    @property
    def _overnight(self) -> bool:
        return self.ends <= self.begins

    def end(self, moment: datetime) -> datetime | None:
        """When the time ends that the moment lies in, in the zone; None where it lies in none."""
        local = moment.astimezone(self.zone)
        for began in (local.date(), local.date() - timedelta(days=1)) if self._overnight else (local.date(),):
            start = datetime.combine(began, self.begins)
            end = datetime.combine(began + timedelta(days=self._overnight), self.ends)
            if began.weekday() in self.weekdays and start <= local.replace(tzinfo=None) < end:
                return end.replace(tzinfo=local.tzinfo, fold=local.fold)
        return None

    def opening(self, moment: datetime) -> datetime | None:
        """The moment itself where it lies in such a time, else the next one that does, in UTC; None: it never comes.

        Where the clocks skip the beginning, the time begins when the gap ends; where they skip all of it, it does not
        come on that day.
        """
        if self.end(moment):
            return moment
        day = moment.astimezone(self.zone).date()
        coming = (found for ahead in range(AHEAD) for found in self._begins(day + timedelta(days=ahead)))
        return next((found for found in coming if found > moment and self.end(found)), None)

    def _begins(self, day: date) -> list[datetime]:
        """When such a time can begin on this day, in UTC: at its beginning, once or twice, and where the clocks are
        changed."""
        wall = datetime.combine(day, self.begins, tzinfo=self.zone)
        found = {wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)}
        return sorted({*found, *self._changes(day)})

    def _changes(self, day: date) -> list[datetime]:
        """When the clocks are changed on this day: the first moment by the new time; on most days none."""
        before = datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC)
        after = datetime.combine(day + timedelta(days=1), time(), tzinfo=self.zone).astimezone(UTC)
        former = before.astimezone(self.zone).utcoffset()
        if former == after.astimezone(self.zone).utcoffset():
            return []
        while after - before > timedelta(seconds=1):
            middle = before + (after - before) // 2
            before, after = (middle, after) if middle.astimezone(self.zone).utcoffset() == former else (before, middle)
        return [after.replace(microsecond=0)]


def days(weekdays: Sequence[int]) -> str:
    """ "Monday to Friday", "every day", "Saturday, Sunday"."""
    found = sorted(set(weekdays))
    if len(found) == len(WEEKDAYS):
        return "every day"
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):
        return f"{WEEKDAYS[found[0]]} to {WEEKDAYS[found[-1]]}"
    return ", ".join(WEEKDAYS[day] for day in found)
