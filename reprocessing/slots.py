"""The times of a schedule: five cron fields in an IANA zone. Preview and firing ask the same functions.

Where clocks change: a schedule of fixed hours keeps to the wall clock, each of its times once. A time that does not
exist runs at the moment the gap ends (several of one gap: once, then); a time that comes twice runs the first time.
A schedule of every hour (the hours field begins with *) follows real time: nothing runs in the gap, and both passes
of a repeated hour run.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from jobs.weekly import known_zones
from warehouse.errors import TellableError

FIELDS = 5
HOURS = 1
LONGEST_GAP = timedelta(hours=26)  # a whole day was left out where the date line was moved


class NoScheduleError(TellableError):
    """The expression or the zone cannot be used; the message says why."""


def zone_of(name: str) -> ZoneInfo:
    """Raises NoScheduleError."""
    if name not in known_zones():
        raise NoScheduleError(f"There is no time zone {name[:64]}. One is written like Pacific/Auckland.")
    return ZoneInfo(name)


def check(expression: str, zone: str) -> None:
    """Raises NoScheduleError where there is no time at all, too."""
    if not next_times(expression, zone, datetime.now(UTC), 1):
        raise NoScheduleError("This expression names no day that ever comes.")


def explained(expression: str) -> str:
    """The expression in words. Raises NoScheduleError."""
    return _cron(expression, datetime(2026, 1, 1)).explain()


def next_times(expression: str, zone: str, after: datetime, number: int) -> list[datetime]:
    """The first `number` times after a moment, in the zone. Raises NoScheduleError."""
    return list(islice(times(expression, zone, after), number))


def between(expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """The times after the one moment and up to and with the other, in UTC. Raises NoScheduleError."""
    found = takewhile(lambda moment: moment <= until, times(expression, zone, after))
    return [moment.astimezone(UTC) for moment in found]


def times(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Every time after a moment, in order, in the zone. Raises NoScheduleError at once."""
    where = zone_of(zone)
    if _fields(expression)[HOURS].startswith("*"):
        cron = _cron(expression, after.astimezone(where))
        return (moment for moment in cron if moment.astimezone(UTC) > after)
    # From well before, since several wall-clock times of a gap are one moment.
    cron = _cron(expression, after.astimezone(where).replace(tzinfo=None) - LONGEST_GAP)
    return _on_the_wall(cron, where, after.astimezone(UTC))


def _on_the_wall(cron: CronSim, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    last = after
    for naive in cron:
        moment = _moment(naive, zone)
        if moment > last:
            yield moment.astimezone(zone)
            last = moment


def _moment(naive: datetime, zone: ZoneInfo) -> datetime:
    """A wall-clock time as a moment in UTC: the first of two, or the end of the gap that it lies in."""
    local = naive.replace(tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == naive:
        return moment
    low, high = naive - LONGEST_GAP, naive + LONGEST_GAP
    # The gap ends at the first moment whose wall clock is past `naive`; wall clocks only grow around a gap.
    first, last = low.replace(tzinfo=UTC) - LONGEST_GAP, high.replace(tzinfo=UTC) + LONGEST_GAP
    while last - first > timedelta(seconds=1):
        middle = first + (last - first) / 2
        if middle.astimezone(zone).replace(tzinfo=None) > naive:
            last = middle
        else:
            first = middle
    return last.replace(microsecond=0)


def _fields(expression: str) -> list[str]:
    fields = expression.split()
    if len(fields) != FIELDS:
        raise NoScheduleError(
            "Five fields are needed: minute, hour, day of the month, month, day of the week. 30 2 * * * is 02:30 daily."
        )
    return fields


def _cron(expression: str, start: datetime) -> CronSim:
    _fields(expression)
    try:
        return CronSim(expression, start)
    except CronSimError as error:
        raise NoScheduleError(f"The expression cannot be read: {str(error)[:80]}.") from error
