"""Days of the console: the days that filters, figures and expiries name are these, in whichever zone somebody reads.

So an address with days in it means the same to everybody, and a list has what a figure counts.
"""

from datetime import date, datetime, time, timedelta

from django.db.models import Q

from access import zones


def begin(day: date) -> datetime:
    """The first moment of a day."""
    return datetime.combine(day, time.min, tzinfo=zones.console())


def end(day: date) -> datetime:
    """The last second of a day."""
    return datetime.combine(day, time.max.replace(microsecond=0), tzinfo=zones.console())


def of(moment: datetime) -> date:
    """The day in which a moment lies."""
    return moment.astimezone(zones.console()).date()


def between(field: str, since: date | None, until: date | None) -> Q:
    """Rows whose moment lies on these days or between them; None does not narrow."""
    wanted = Q()
    if since:
        wanted &= Q((f"{field}__gte", begin(since)))
    if until and until < date.max:
        wanted &= Q((f"{field}__lt", begin(until + timedelta(days=1))))
    return wanted
