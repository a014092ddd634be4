"""What Prometheus reads: taken from the two databases at each scrape, so that every process tells the same and none
keeps anything.

Labels are extracts that are declared, states, kinds, quantiles: their values are bounded, and none comes from a row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db.models import Count

from approvals import gate
from jobs.models import Job
from monitoring import figures_upkeep, processes
from monitoring.processes import Health
from reprocessing.models import Breaker
from warehouse import archive_search, figures_reading, registry
from warehouse.archive_search import Wanted
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.figures_reading import Part, Scope
from warehouse.on_use import OnUse

prometheus = OnUse("prometheus_client")
core = OnUse("prometheus_client.core")

UNDECLARED = "undeclared"
EVER = timedelta(days=36_500)
LATELY = timedelta(days=1)
STATES = ("completed", "completed with failures", "failed", "running", "rolled_back", "cancelled")
OTHER = "other"


def exposition(now: datetime) -> bytes:
    """Everything in Prometheus' text format."""
    known = prometheus.CollectorRegistry(auto_describe=False)
    known.register(Collector(now))
    told: bytes = prometheus.generate_latest(known)
    return told


class Collector:
    """Reads the databases when it is asked."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterator[Any]:
        health = processes.look(self.now)
        yield from _health(health, self.now)
        if any(server.name == "console" and server.version for server in health.servers):
            yield from _console()
        try:
            with connect(settings.WAREHOUSE_URL, purpose="metrics") as connection:
                yield from list(_warehouse(connection, self.now))
        except (TellableError, psycopg.Error):
            return  # restage_database_up tells it


def _gauge(name: str, told: str, *labels: str, values: Iterable[tuple[Any, ...]]) -> Any:
    """`values`: (label value, …, number); what is None is left out."""
    made = core.GaugeMetricFamily(f"restage_{name}", told, labels=labels)
    for *names, number in values:
        if number is not None:
            made.add_metric([str(value) for value in names], float(number))
    return made


def _health(health: Health, now: datetime) -> Iterator[Any]:
    up = [(server.name, bool(server.version)) for server in health.servers]
    yield _gauge("database_up", "Whether the database answers.", "database", values=up)
    yield _gauge("healthy", "Whether nothing is wrong, as manage.py ps tells.", values=[(not health.wrong,)])
    seen: dict[str, datetime] = {}
    for process in health.processes:
        seen[process.kind] = max(process.seen, seen.get(process.kind, process.seen))
    yield _gauge(
        "process_last_seen_timestamp_seconds",
        "The last sign of life of any process of the kind.",
        "kind",
        values=[(kind, at.timestamp()) for kind, at in seen.items()],
    )
    alive = Counter(process.kind for process in health.processes if process.alive)
    kinds = ("worker", "watcher", "web")
    yield _gauge("processes_alive", "Processes that live.", "kind", values=[(kind, alive[kind]) for kind in kinds])
    if queue := health.queue:
        oldest = queue.oldest.total_seconds() if queue.oldest else 0
        yield _gauge("jobs_waiting", "Jobs that wait for a worker.", values=[(queue.waiting,)])
        yield _gauge("jobs_waiting_oldest_seconds", "For how long the first of them waits.", values=[(oldest,)])
        yield _gauge("jobs_leases_lapsed", "Jobs whose worker is silent.", values=[(queue.lapsed,)])
        yield _gauge("queue_messages", "Messages in the queue.", values=[(queue.rings,)])
    if health.disk:
        yield _gauge("warehouse_disk_free_bytes", "Free on the warehouse's disk.", values=[(health.disk[0],)])
        yield _gauge("warehouse_disk_bytes", "Size of the warehouse's disk.", values=[(health.disk[1],)])
    if health.figures_at:
        age = (now - health.figures_at).total_seconds()
        yield _gauge("figures_age_seconds", "Since the figures of loads were refreshed.", values=[(age,)])


def _console() -> Iterator[Any]:
    jobs = Job.objects.order_by().values_list("kind", "state").annotate(n=Count("pk"))
    yield _gauge("jobs", "Jobs by kind and state.", "kind", "state", values=[tuple(row) for row in jobs])
    yield _gauge("approvals_waiting", "Jobs that wait for a decision.", values=[(gate.waiting().count(),)])
    opened = Counter(Breaker.objects.values_list("state", flat=True))
    breakers = [(state, opened[state]) for state in Breaker.State.values if state != Breaker.State.CLOSED]
    yield _gauge("breakers", "Circuit breakers that are not closed.", "state", values=breakers)


def _warehouse(connection: psycopg.Connection, now: datetime) -> Iterator[Any]:
    if figures_upkeep.on_view(connection, now):
        yield from _loads(connection, now)
    kept, held = (archive_search.sums(connection, Wanted(held=held)) for held in ("", "yes"))
    yield _gauge("archive_sets", "Archive sets that are kept.", values=[(kept.entries,)])
    yield _gauge("archive_bytes", "Their size.", values=[(kept.bytes,)])
    yield _gauge("archive_sets_held", "Archive sets on legal hold.", values=[(held.entries,)])
    expiring = archive_search.expiring(connection, now)
    values = [(days, sums.entries) for days, sums in expiring.items()]
    yield _gauge("archive_sets_expiring", "Archive sets that may be removed within days.", "days", values=values)


def _loads(connection: psycopg.Connection, now: datetime) -> Iterator[Any]:
    ever, lately = Scope(now - EVER, now + LATELY), Scope(now - LATELY, now + LATELY)
    found = figures_reading.parts(connection, ever, figures_reading.EXTRACT)
    yield _gauge("load_files", "Files of all time.", "extract", "state", values=_files(found))
    yield _gauge("load_records", "Records of all time.", "extract", "kind", values=_records(found))
    declared = [part for part in found if part.name in registry.current()]
    for name, told in (
        ("last_success", "When a file of the extract was loaded last."),
        ("last_failure", "When a file of the extract failed last."),
        ("last_extracted", "When the newest data of the extract was extracted."),
    ):
        moments = [(part.name, at.timestamp()) for part in declared if (at := getattr(part, name))]
        yield _gauge(f"load_{name}_timestamp_seconds", told, "extract", values=moments)
    states: Counter[str] = Counter()
    for state, runs in figures_reading.runs_by_state(connection, ever).items():
        states[state if state in STATES else OTHER] += runs
    yield _gauge("load_runs", "Load runs of all time.", "state", values=sorted(states.items()))
    yield _gauge(
        "load_runs_stuck", "Load runs that go and are silent.", values=[(figures_reading.stuck_runs(connection),)]
    )
    taken = figures_reading.durations(connection, lately)
    yield _gauge(
        "load_file_seconds",
        "How long a file takes, of those loaded since yesterday; off by 5 % at most.",
        "extract",
        "quantile",
        values=[(name, q, s) for name, qs in taken.items() if name in registry.current() for q, s in qs.items()],
    )
    whole, _days = figures_reading.superseded(connection, ever)
    yield _gauge("superseded_raw_records", "Superseded records that lie in raw.", values=[(whole.rows,)])
    yield _gauge("superseded_raw_bytes", "Size of the files that they came from.", values=[(whole.bytes,)])


def _files(found: list[Part]) -> list[tuple[Any, ...]]:
    counted: Counter[tuple[str, str]] = Counter()
    for part in found:
        for state in ("completed", "failed", "waiting", "failed_live"):
            counted[_label(part), state] += getattr(part, state)
    return [(*names, number) for names, number in counted.items()]


def _records(found: list[Part]) -> list[tuple[Any, ...]]:
    counted: Counter[tuple[str, str]] = Counter()
    for part in found:
        counted[_label(part), "read"] += part.rows_read
        counted[_label(part), "refused"] += part.rejected
    return [(*names, number) for names, number in counted.items()]


def _label(part: Part) -> str:
    return part.name if part.name in registry.current() else UNDECLARED
