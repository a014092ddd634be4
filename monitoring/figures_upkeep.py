"""When the figures are brought up to date: by the clock of every worker, and where somebody looks and little is to do.

What is shown says as of when it is; nothing is decided by it.
"""

from contextlib import suppress
from datetime import datetime, timedelta

import psycopg
from django.conf import settings
from django.utils import timezone

from warehouse import figures
from warehouse.connections import connect
from warehouse.figures import State

EVERY = timedelta(seconds=15)
LATE = 1.5 * EVERY
CHECKED_EVERY = timedelta(hours=24)
CHECKED_AT_LATEST = timedelta(hours=36)
NIGHT = range(1, 6)  # hours of the console's zone
MOST_DAYS_ON_VIEW = 8


def by_the_clock(now: datetime) -> None:
    """Compute what has changed; once a night compare everything with etl."""
    with connect(settings.WAREHOUSE_URL, purpose="figures") as connection:
        found = figures.state(connection)
        if found and _check_is_due(found, now):
            figures.check(connection, zone=settings.TIME_ZONE)
        figures.refresh(connection, zone=settings.TIME_ZONE)


def _check_is_due(found: State, now: datetime) -> bool:
    since = now - found.checked_at
    return since > CHECKED_AT_LATEST or (since > CHECKED_EVERY and timezone.localtime(now).hour in NIGHT)


def on_view(connection: psycopg.Connection, now: datetime) -> State | None:
    """How the figures stand, once the little that may be to do is done; None: they must be computed by a worker.

    Where a worker has refreshed them just now, nobody is kept waiting: the page tells as of when they are.
    """
    found = figures.state(connection)
    known = found if found and found.zone == settings.TIME_ZONE else None
    if known and (not known.days or now - known.refreshed_at < LATE):
        return known
    if (known and known.days <= MOST_DAYS_ON_VIEW) or figures.small(connection):
        # a role that may only read leaves it to the worker
        with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
            figures.refresh(connection, zone=settings.TIME_ZONE)
        found = figures.state(connection)
    return found if found and found.zone == settings.TIME_ZONE else None
