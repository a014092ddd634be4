"""The dashboard's content, kept for some seconds a process; only for eyes, nothing is decided by it.

It is kept under the version that watchers raise at every change of the warehouse and the newest event of the trail, so
that a change which either of them tells of is seen at once.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import psycopg
from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from audit.models import Event
from monitoring import dashboard_jobs, dashboard_loads, dashboard_storage, figures_upkeep, processes
from monitoring.dashboard_jobs import Jobs
from monitoring.dashboard_loads import Loads
from monitoring.dashboard_storage import Storage
from monitoring.processes import Health
from monitoring.tables import MOMENT, STATE, Column, Table
from monitoring.wanted import Wanted
from reprocessing import bookmarks
from warehouse import registry
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.figures import State

KEPT_FOR = timedelta(seconds=10)
MOST_KEPT = 64

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Dashboard:
    """`loads` is None where the figures have not been computed yet, and with `storage` where the warehouse does not
    answer. `figures`: as of when the former are."""

    as_of: datetime
    figures: State | None
    loads: Loads | None
    storage: Storage | None
    jobs: Jobs
    health: Health
    processes: Table
    reachable: bool

    def tables(self) -> Iterator[Table]:
        """Every table that is shown, those behind charts too."""
        if self.loads:
            yield from (self.loads.causes, self.loads.states, self.loads.extracts, self.loads.practices)
            yield from (chart.table for chart in (self.loads.files, self.loads.records, self.loads.superseded_days))
        yield from (self.jobs.running, self.jobs.states, self.jobs.reasons, self.jobs.extracts, self.jobs.chart.table)
        if self.storage:
            yield from (self.storage.sets, self.storage.growth.table)
        yield self.processes


_kept: OrderedDict[tuple[Any, ...], Dashboard] = OrderedDict()
_lock = Lock()


def shown(wanted: Wanted, *, clock: Clock = timezone.now) -> Dashboard:
    """What was made lately and nothing has changed since, or what is true now."""
    now = clock()
    newest = Event.objects.aggregate(newest=Max("pk"))["newest"]
    key = (settings.WAREHOUSE_URL, bookmarks.discovery_version(), newest, wanted)
    with _lock:
        kept = _kept.get(key)
    if kept and timedelta() <= now - kept.as_of < KEPT_FOR:
        return kept
    made = look(wanted, now)
    with _lock:
        _kept[key] = made
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
    return made


def look(wanted: Wanted, now: datetime) -> Dashboard:
    """Everything anew."""
    figures, loads, storage, reachable = None, None, None, True
    health = processes.of_console(now)
    try:
        with connect(settings.WAREHOUSE_URL, purpose="dashboard") as connection:
            processes.add_warehouse(health, connection)
            figures = figures_upkeep.on_view(connection, now)
            loads = dashboard_loads.look(connection, wanted) if figures else None
            storage = dashboard_storage.look(connection, wanted.period, now)
    except (TellableError, psycopg.Error):
        reachable = False
        processes.add_unreachable(health)
    return Dashboard(
        as_of=now,
        figures=figures,
        loads=loads,
        storage=storage,
        jobs=dashboard_jobs.look(wanted, registry.current(), now),
        health=health,
        processes=_processes(health),
        reachable=reachable,
    )


def _processes(health: Health) -> Table:
    columns = (Column("State", STATE), Column("Process"), Column("Where"), Column("Last sign of life", MOMENT))
    rows: list[tuple[Any, ...]] = [
        ("alive" if process.alive else "silent", process.kind.capitalize(), process.name, process.seen)
        for process in health.processes
    ]
    rows += [
        ("up" if server.version else "away", f"PostgreSQL of the {server.name}", server.version, health.at)
        for server in health.servers
    ]
    return Table("processes", "Processes", columns, rows, "No process has given a sign of life today.")
