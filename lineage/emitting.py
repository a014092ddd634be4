"""Tells OpenLineage places what jobs do, from the trail: at least once, in order, and never in a job's way.

A cursor for each place goes over the trail in the order of transactions that are over: nothing can be written behind
it. It moves on once an event was taken; a worker that dies in between sends it again, the same to the letter. A place
that does not answer is left alone for longer and longer, up to MOST_WAIT; nothing is skipped but what it refuses for
good. A new place hears what happens from then on.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
from django.conf import settings
from django.db.models import F, Max, Q

from audit import database
from audit.models import Event
from jobs.models import Job
from lineage.models import Cursor
from lineage.openlineage_places import NotSentError, Place, RefusedError
from warehouse import chains, registry
from warehouse.chains import Link
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.on_use import OnUse

if TYPE_CHECKING:
    from lineage import openlineage_datasets, openlineage_runs
else:
    openlineage_datasets, openlineage_runs = OnUse("lineage.openlineage_datasets"), OnUse("lineage.openlineage_runs")

EVERY = timedelta(seconds=10)
BATCH = 50
SECONDS = 20.0  # of one round: a slow place must not keep the other upkeep of a worker waiting
MINE = timedelta(minutes=2)  # for how long a worker has a place to itself
FIRST_WAIT, MOST_WAIT = timedelta(seconds=10), timedelta(minutes=15)


def by_the_clock(now: datetime) -> None:
    """Raises NotSentError where a place failed, once all others were told."""
    failed = [cursor.shown for place in places() if (cursor := emit(place, now)) and cursor.error]
    if failed:
        raise NotSentError(f"OpenLineage events wait for {', '.join(failed)}.")


def places() -> list[Place]:
    return [Place(address, settings.OPENLINEAGE_KEY) for address in settings.OPENLINEAGE]


def standing() -> list[Cursor]:
    """How far each place is that events are sent to now; one that has heard nothing yet is not told."""
    return list(Cursor.objects.filter(place__in=[place.id for place in places()]))


def emit(place: Place, now: datetime) -> Cursor | None:
    """Send a place what it lacks; its cursor, or None where another worker is at it or it is left alone for now."""
    cursor = _cursor(place)
    free = Q(not_before__isnull=True) | Q(not_before__lte=now)
    if not Cursor.objects.filter(free, pk=cursor.pk).update(not_before=now + MINE):
        return None
    cursor.refresh_from_db()
    try:
        _send(place, cursor)
    except (TellableError, OSError, psycopg.Error) as error:
        told = isinstance(error, NotSentError | TellableError)
        _failed(cursor, now, str(error) if told else f"{type(error).__name__}.")
    else:
        Cursor.objects.filter(pk=cursor.pk).update(not_before=None, failures=0, failing_since=None, error="")
    cursor.refresh_from_db()
    return cursor


def _cursor(place: Place) -> Cursor:
    """A new one begins behind everything that is over by now."""
    found = Cursor.objects.filter(place=place.id).first()
    if found is None:
        begin = {"tx": database.horizon().open_from - 1, "event": Event.objects.aggregate(m=Max("id"))["m"] or 0}
        found, _made = Cursor.objects.get_or_create(place=place.id, defaults={"shown": place.shown, **begin})
    return found


def _send(place: Place, cursor: Cursor) -> None:
    """One batch. Raises NotSentError, OSError, psycopg.Error."""
    waiting = _waiting(cursor)
    jobs = _jobs(waiting)
    if not waiting:
        return
    links, client, told = _links(jobs.values()), place.client(), _told()
    end = time.monotonic() + SECONDS
    for event in waiting:
        if time.monotonic() > end:
            return
        job = jobs.get(event.subject)
        made = openlineage_runs.events(told, event, job, links.get(job.pk, [])) if job else []
        refused = 0
        for one in made:
            try:
                place.send(client, one)
            except RefusedError:
                refused += 1
        _moved(cursor, event, sent=len(made) - refused, refused=refused)


def _waiting(cursor: Cursor) -> list[Event]:
    open_from = database.horizon().open_from
    found = Event.objects.filter(action__in=openlineage_runs.ACTIONS, tx__lt=open_from)
    if open_from < cursor.tx:  # the database has come to another server, whose transactions count anew
        found = found.filter(pk__gt=cursor.event)
    else:
        found = found.filter(Q(tx__gt=cursor.tx) | Q(tx=cursor.tx, pk__gt=cursor.event))
    return list(found.order_by("tx", "id")[:BATCH])


def _jobs(events: Sequence[Event]) -> dict[str, Job]:
    """Subject → job."""
    ids = [event.subject.removeprefix("job:") for event in events]
    found = Job.objects.filter(pk__in=ids).select_related("plan", "requested_by", "parent__plan")
    return {f"job:{job.pk}": job for job in found}


def _links(jobs: Iterable[Job]) -> dict[UUID, list[Link]]:
    """Job → the attempts at the files that it read or made. Raises psycopg.Error, UnreachableWarehouseError."""
    found: dict[UUID, list[Link]] = {}
    with connect(settings.WAREHOUSE_URL, purpose="lineage events") as connection:
        for job in jobs:
            read = [item["file"] for item in job.plan.included if "file" in item]
            of_runs = [link for made in openlineage_runs.made_by(job) for link in chains.of_run(connection, made)]
            of_files = chains.of_files(connection, read).values() if read else []
            found[job.pk] = [*of_files, *(link for link in of_runs if link not in of_files)]
    return found


def _told() -> openlineage_runs.Told:
    house = openlineage_datasets.Warehouse.of(settings.WAREHOUSE_URL)
    return openlineage_runs.Told(settings.OPENLINEAGE_NAMESPACE, settings.VERSION, house, registry.current())


def _moved(cursor: Cursor, event: Event, *, sent: int, refused: int) -> None:
    Cursor.objects.filter(pk=cursor.pk).update(
        tx=event.tx, event=event.pk, sent=F("sent") + sent, refused=F("refused") + refused
    )


def _failed(cursor: Cursor, now: datetime, why: str) -> None:
    wait = min(MOST_WAIT, FIRST_WAIT * 2 ** min(cursor.failures, 10))
    Cursor.objects.filter(pk=cursor.pk).update(
        not_before=now + wait,
        failures=F("failures") + 1,
        failing_since=cursor.failing_since or now,
        error=why[:200],
    )
