"""What discovery found, kept for 30 s a process, for pages only: whoever acts on it looks anew (requests.ask_found).

It is kept under the version that watchers raise at every change of the warehouse, and under the runs that active jobs
hold, so that a change which either of them tells of is seen at once by every process.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from jobs.models import JobRun
from reprocessing import bookmarks, requests
from warehouse import discovery, registry
from warehouse.connections import connect, snapshot
from warehouse.discovery import Candidate, Filter, Found

KEPT_FOR = timedelta(seconds=30)
MOST_KEPT = 64
MOST_LISTED = 200

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Shown:
    """What a page shows of discovery, `as_of` a moment."""

    found: Found
    listed: list[Candidate]
    as_of: datetime


_kept: OrderedDict[tuple[Any, ...], Shown] = OrderedDict()
_lock = Lock()


def shown(wanted: Filter, *, fresh: bool = False, clock: Clock = timezone.now) -> Shown:
    """What was found lately, or, asked `fresh`, what is found now. Raises UnreachableWarehouseError."""
    held, now = requests.held_runs(), clock()
    last = JobRun.objects.aggregate(last=Max("pk"))["last"]
    key = (settings.WAREHOUSE_URL, bookmarks.discovery_version(), last, frozenset(held), wanted)
    with _lock:
        kept = _kept.get(key)
    if kept and not fresh and timedelta() <= now - kept.as_of < KEPT_FOR:
        return kept
    with connect(settings.WAREHOUSE_URL, purpose="discovery") as connection, snapshot(connection):
        found = discovery.find(connection, registry.current(), wanted, held)
        listed = discovery.candidates(connection, registry.current(), wanted, held, limit=MOST_LISTED)
    made = Shown(found, listed, now)
    with _lock:
        _kept[key] = made
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return made
