"""What restores leave behind: sets in use by jobs that are over, and tables beside staging whose day has come."""

from datetime import datetime, timedelta

from django.conf import settings

from jobs.models import Job
from warehouse import archive_holds, side_tables
from warehouse.connections import connect

EVERY = timedelta(minutes=1)


def tidy(url: str, *, now: datetime) -> list[str]:
    """Free the sets of jobs that are over, drop expired side tables; the names of those. Raises what a lost warehouse
    raises."""
    with connect(url, purpose="restore upkeep") as connection:
        using = archive_holds.using(connection)  # first: a job that begins after this is not among them
        active = set(Job.objects.filter(pk__in=using, state__in=Job.ACTIVE).values_list("pk", flat=True))
        for job in using - active:
            archive_holds.disuse(connection, job)
        return side_tables.drop_expired(connection, now)


def by_the_clock(now: datetime) -> None:
    tidy(settings.WAREHOUSE_URL, now=now)
