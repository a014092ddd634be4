"""Over which time the dashboard looks: whole days of the console's zone, relative to today or from one to another."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from access import days

RELATIVE = {
    "today": ("Today", 1),
    "2d": ("Today and yesterday", 2),
    "7d": ("7 days", 7),
    "30d": ("30 days", 30),
    "90d": ("90 days", 90),
    "365d": ("365 days", 365),
}
DEFAULT = "7d"
DATES = "dates"
MOST_DAYS = 3660
FIRST_YEAR, LAST_YEAR = 1970, 2999
MOST_DAYS_BY_HOUR = 3


@dataclass(frozen=True)
class Period:
    """Days from `since` to `until`, both included."""

    since: date
    until: date

    @property
    def start(self) -> datetime:
        return days.begin(self.since)

    @property
    def stop(self) -> datetime:
        return days.begin(self.until + timedelta(days=1))

    @property
    def days(self) -> list[datetime]:
        """When each day begins."""
        return [days.begin(self.since + timedelta(days=n)) for n in range((self.until - self.since).days + 1)]

    @property
    def hours(self) -> list[datetime]:
        """When each hour begins; a day on which the clocks change has 23 or 25."""
        first, last = self.start.timestamp(), self.stop.timestamp()  # wall clocks differ by another number
        hours = range(round((last - first) / 3600))
        return [datetime.fromtimestamp(first + 3600 * n, tz=self.start.tzinfo) for n in hours]

    @property
    def by_hour(self) -> bool:
        return (self.until - self.since).days < MOST_DAYS_BY_HOUR


def of(name: str, now: datetime) -> Period:
    """A relative one. Raises KeyError."""
    today = days.of(now)
    return Period(today - timedelta(days=RELATIVE[name][1] - 1), today)
