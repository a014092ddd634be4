"""What restores leave behind: sets in use by jobs that are over, and tables beside staging whose day has come."""

import logging
from datetime import datetime, timedelta

import psycopg
from django.conf import settings

from jobs.models import Job
from warehouse import archive_parts, side_tables
from warehouse.connections import connect
from warehouse.errors import TellableError

EVERY = timedelta(minutes=1)
log = logging.getLogger(__name__)


def tidy(url: str, *, now: datetime) -> list[str]:
    """Free the sets of jobs that are over, drop expired side tables; the names of those. Raises what a lost warehouse
    raises."""
    with connect(url, purpose="restore upkeep") as connection:
        using = archive_parts.using(connection)  # first: a job that begins after this is not among them
        active = set(Job.objects.filter(pk__in=using, state__in=Job.ACTIVE).values_list("pk", flat=True))
        for job in using - active:
            archive_parts.unuse(connection, job)
        return side_tables.drop_expired(connection, now)


class Upkeep:
    """The reconciler's call, once a minute."""

    def __init__(self) -> None:
        self._next: datetime | None = None

    def __call__(self, now: datetime) -> None:
        if self._next and now < self._next:
            return
        self._next = now + EVERY
        try:
            tidy(settings.WAREHOUSE_URL, now=now)
        except (TellableError, psycopg.Error) as error:
            log.warning("What restores left behind could not be tidied: %s", type(error).__name__)
