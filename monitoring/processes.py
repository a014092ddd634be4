"""The health of every process and queue, and what to do where something is wrong."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as console

from monitoring import heartbeats, job_figures
from monitoring.job_figures import Queue
from reprocessing.bookmarks import ALIVE_FOR
from reprocessing.models import Schedule, Trigger
from warehouse import figures, room, server, suspensions
from warehouse.amounts import things
from warehouse.connections import connect
from warehouse.errors import TellableError

LONGEST_WAIT = timedelta(minutes=5)
LEAST_FREE = 0.10
OLDEST_FIGURES = timedelta(minutes=10)


@dataclass(frozen=True)
class Process:
    kind: str
    name: str
    seen: datetime
    alive: bool


@dataclass(frozen=True)
class Server:
    """A PostgreSQL, as it answers a client. `version` "": it does not."""

    name: str
    version: str = ""
    sessions: int = 0
    most_sessions: int = 0


@dataclass
class Health:
    """`wrong`: what needs a person, in words, with what to do; `notices`: what is good to know."""

    at: datetime
    processes: list[Process] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    queue: Queue | None = None
    figures_at: datetime | None = None
    disk: tuple[int, int] | None = None  # free and all, in bytes
    wrong: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "healthy": not self.wrong,
            "processes": [
                {**asdict(p), "seen": p.seen.isoformat(), "seconds_ago": round((self.at - p.seen).total_seconds())}
                for p in self.processes
            ],
            "servers": [{**asdict(server), "up": bool(server.version)} for server in self.servers],
            "queue": _queue_as_json(self.queue) if self.queue else None,
            "figures_at": self.figures_at.isoformat() if self.figures_at else None,
            "disk": {"free": self.disk[0], "all": self.disk[1]} if self.disk else None,
            "wrong": self.wrong,
            "notices": self.notices,
        }


def look(now: datetime) -> Health:
    """How everything stands; what cannot be asked is itself told as wrong."""
    found = of_console(now)
    try:
        with connect(settings.WAREHOUSE_URL, purpose="health") as connection:
            add_warehouse(found, connection)
    except psycopg.errors.UndefinedTable:
        found.wrong.append("The warehouse lacks what Restage needs. Extend it with: manage.py warehouse apply")
    except (TellableError, psycopg.Error):
        add_unreachable(found)
    return found


def of_console(now: datetime) -> Health:
    """Processes, the queue and the console's own database."""
    found = Health(now)
    try:
        _console(found, now)
    except DatabaseError:
        console.close()
        found.servers.append(Server("console"))
        found.wrong.append(
            "The console's database does not answer: no page and no job works. See that its server is up."
        )
    return found


def add_unreachable(found: Health) -> None:
    found.servers = [server for server in found.servers if server.name != "warehouse"] + [Server("warehouse")]
    found.wrong.append(
        "The warehouse does not answer: jobs wait until it does. See that the server of RESTAGE_WAREHOUSE_URL is up."
    )


def _console(found: Health, now: datetime) -> None:
    with console.cursor() as cursor:
        found.servers.append(Server("console", *server.told(cursor)))
    found.processes = [
        Process(kind, name, at, at > now - ALIVE_FOR)
        for kind, name, at in heartbeats.all_known()
        if _shown(kind, at, now)
    ]
    found.queue = job_figures.queue(now)
    _judge_processes(found)
    _judge_queue(found, found.queue)


def _shown(kind: str, at: datetime, now: datetime) -> bool:
    """A web process speaks when it is asked; one that has not been for an hour may be gone for good."""
    return at > now - (timedelta(hours=1) if kind == "web" else timedelta(minutes=15))


def _judge_processes(found: Health) -> None:
    alive = {process.kind for process in found.processes if process.alive}
    if "worker" not in alive:
        found.wrong.append("No worker is alive: jobs wait. Start one with: manage.py worker")
    askers = sum(model.objects.filter(state=model.State.ACTIVE).count() for model in (Schedule, Trigger))
    if "watcher" not in alive and askers:
        number = f"{askers:,} schedules and triggers" if askers > 1 else "One schedule or trigger"
        found.wrong.append(f"No watcher is alive: {number} cannot act. Start one with: manage.py watch")
    elif "watcher" not in alive:
        found.notices.append("No watcher is alive; no schedule or trigger needs one.")
    if "web" not in alive:
        found.notices.append(
            f"No web process was asked for anything in the last {ALIVE_FOR.seconds} s, so none has spoken; whether one"
            " is up says its /healthz."
        )
    for process in found.processes:
        if not process.alive and process.kind != "web" and process.kind in alive:
            found.notices.append(f"{process.kind.capitalize()} {process.name} has gone silent; another one is alive.")


def _judge_queue(found: Health, queue: Queue) -> None:
    if queue.lapsed:
        found.notices.append(
            f"{things(queue.lapsed, 'job')} without a worker that lives; another one takes over within seconds."
        )
    if queue.oldest and queue.oldest > LONGEST_WAIT:
        minutes = round(queue.oldest.total_seconds() / 60)
        found.wrong.append(
            f"{things(queue.waiting, 'job')} waiting for a worker, the first for {minutes:,} min."
            " Start another worker, or raise RESTAGE_WORKERS."
        )


def add_warehouse(found: Health, connection: psycopg.Connection) -> None:
    with connection.cursor() as cursor:
        found.servers.append(Server("warehouse", *server.told(cursor)))
    found.disk = room.disk(connection)
    if found.disk and found.disk[0] < found.disk[1] * LEAST_FREE:
        found.wrong.append(
            f"The warehouse's disk has {found.disk[0] / 1e9:,.1f} GB free of {found.disk[1] / 1e9:,.1f}."
            " Make room: a full disk stops every load."
        )
    for stopped in suspensions.standing(connection).values():
        found.notices.append(
            f"The loading of {stopped.extract_type} is suspended: {stopped.reason} Its quality page resumes it."
        )
    known = figures.state(connection)
    found.figures_at = known.refreshed_at if known else None
    if known is None:
        found.notices.append("The figures of the dashboard have not been computed yet; a worker does it.")
    elif known.refreshed_at < found.at - OLDEST_FIGURES and known.days:
        found.notices.append("The figures of the dashboard are old; a living worker keeps them true.")


def _queue_as_json(queue: Queue) -> dict[str, Any]:
    oldest = round(queue.oldest.total_seconds()) if queue.oldest else None
    return {**asdict(queue), "oldest": oldest}
