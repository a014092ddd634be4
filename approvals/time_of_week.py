"""A time of the week, by the wall clock of a zone: an hour that comes twice is in it twice."""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from jobs.weekly import Weekly, days, known_zones


@dataclass(frozen=True)
class TimeOfWeek:
    """From `begins` on each of `weekdays` (0 is Monday) until `ends`; where that is not later, until the next day.

    Times as 22:30. Raises ValueError where it is no window.
    """

    weekdays: tuple[int, ...]
    begins: str
    ends: str
    zone: str

    def __post_init__(self) -> None:
        if not self.weekdays or any(type(day) is not int or not 0 <= day <= 6 for day in self.weekdays):
            raise ValueError("a window has no weekday")
        if self.zone not in known_zones():
            raise ValueError("a window's time zone is not known")
        for text in (self.begins, self.ends):
            time.fromisoformat(text)

    def holds(self, moment: datetime) -> bool:
        """Whether it is open at the moment, which has a zone."""
        begins, ends = time.fromisoformat(self.begins), time.fromisoformat(self.ends)
        return Weekly(self.weekdays, begins, ends, ZoneInfo(self.zone)).end(moment) is not None

    def __str__(self) -> str:
        return f"{days(self.weekdays)} {self.begins} to {self.ends} {self.zone}"
