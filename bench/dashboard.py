"""`python -m bench.dashboard`: the dashboard on BENCH_RUNS (1,000,000) load runs with five files each, two years of
them: how long its page takes, what a refresh of its figures costs after changes, and the same figures straight from
etl; also what the triggers that keep them cost a loader.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from uuid import uuid4

import django
import psycopg
from django.core.management import call_command
from django.test import Client
from psycopg import sql

from bench import places
from bench.figures import Figure, alternate, at_least, at_most, report, told
from config import databases
from warehouse import adoption, figures, figures_reading, figures_schema, schema
from warehouse.connections import connect
from warehouse.figures import MEASURES, TOLD_CAUSE, TOLD_STATE
from warehouse.figures_reading import Scope
from warehouse.registry import SHIPPED, Registry, load

ZONE = "Pacific/Auckland"
FILES_A_RUN, PRACTICES, DAYS = 5, 50, 730
LOOKS = 40
QUERIES = (
    *("range=today", "range=7d", "range=30d", "range=90d", "range=365d"),
    *("range=7d&extract=Patient", "range=30d&practice=p7", "range=30d&extract=Patient&practice=p7"),
)
LIMIT_MS = 200.0

RUNS = """INSERT INTO etl.load_runs (load_run_id, status, triggered_by, created_at, updated_at, completed_at)
SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, CASE WHEN n %% 97 = 0 THEN 'failed'
    ELSE 'completed' END, 'bench', at, at, at FROM generate_series(1, %(runs)s) n
    CROSS JOIN LATERAL (SELECT now() - (%(runs)s - n) * interval '1 day' * %(days)s / %(runs)s AS at) t"""
FILES = """INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,
    extract_type, per_org_id, practice_id, rows_read, rows_ingested, rows_rejected, started_at, finished_at, status,
    error_message, content_bytes, created_at, updated_at, superseded_at)
SELECT r.load_run_id, 'b', 'f' || f, '', md5(r.load_run_id::text || f), to_char(created_at, 'YYYY-MM-DD'),
    (%(extracts)s::text[])[1 + (h + f) %% cardinality(%(extracts)s::text[])], '1', 'p' || h %% %(practices)s,
    1000, 990, 10, created_at, created_at + interval '1 s' * (1 + (h + f * 31) %% 300),
    CASE WHEN (h + f) %% 100 = 0 THEN 'failed' ELSE 'completed' END,
    CASE WHEN (h + f) %% 100 = 0 THEN 'Column c' || chr(97 + h %% 20) || ' is missing in line ' || h END,
    100000, created_at, created_at, CASE WHEN (h + f) %% 40 = 0 THEN created_at + interval '1 h' END
FROM etl.load_runs r CROSS JOIN generate_series(1, %(files)s) f
    CROSS JOIN LATERAL (SELECT abs(hashtext(r.load_run_id::text)) %% 1000000 AS h) t"""
STAGINGS = """INSERT INTO etl.staging_runs (load_run_id, extract_type, source_table, target_table, status,
    total_rows_rejected) SELECT load_run_id, 'Patient', 's', 't', 'completed', 3 FROM etl.load_runs"""


def measure(connection: psycopg.Connection, registry: Registry, runs: int) -> Iterator[Figure]:
    _fill(connection, registry, runs)
    began = time.perf_counter()
    figures.refresh(connection, zone=ZONE)
    yield at_most("dashboard_first_build", time.perf_counter() - began, 600, baseline=f"{runs:,} runs", unit="s")
    connection.execute("ANALYZE")
    yield from _pages(connection)
    yield from _against_etl(connection)
    yield from _increments(connection)
    yield at_most("dashboard_loader_cost", _loader_cost(connection), 1.3, baseline="the same without the triggers")


def _fill(connection: psycopg.Connection, registry: Registry, runs: int) -> None:
    """Into tables without indexes and triggers; then these as the contract has them."""
    for name in schema.INDEXES:
        if name.startswith("etl."):
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(*name.split("."))))
    names = [extract.name for extract in registry.extracts]
    values = {"runs": runs, "days": DAYS, "files": FILES_A_RUN, "practices": PRACTICES, "extracts": names}
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for statement in (RUNS, FILES, STAGINGS):
            connection.execute(statement, values)
    connection.execute("VACUUM ANALYZE")
    adoption.apply(connection, registry)


def _pages(connection: psycopg.Connection) -> Iterator[Figure]:
    """The whole answer of the console, nothing kept, every second time with a day to refresh; and kept."""
    from monitoring import dashboard

    client = _somebody()
    anew, kept, worked = [], [], []
    for number in range(LOOKS + len(QUERIES)):
        query = QUERIES[number % len(QUERIES)]
        dashboard._kept.clear()
        if number % 2:  # a day has changed, and no worker has been there
            connection.execute(_CHANGE, [number])
            connection.execute("UPDATE restage.figures_state SET refreshed_at = now() - interval '1 h'")
        began = time.process_time()
        look = partial(client.get, f"/?{query}")
        first = _milliseconds(look)
        cpu = (time.process_time() - began) * 1000
        again = _milliseconds(look)
        if number >= len(QUERIES):  # the first round warms up
            anew.append(first)
            worked.append(cpu)
            kept.append(again)
    yield at_most("dashboard_page_p95", _p95(anew), LIMIT_MS, baseline=f"{LOOKS} looks, nothing kept", unit="ms")
    yield at_most("dashboard_page_median", median(anew), LIMIT_MS, baseline=f"{LOOKS} looks, nothing kept", unit="ms")
    told = "of these its processor time in the web process"
    yield at_most("dashboard_page_cpu_p95", _p95(worked), LIMIT_MS, baseline=told, unit="ms")
    yield at_most("dashboard_page_kept_p95", _p95(kept), LIMIT_MS, baseline="asked again", unit="ms")


def _against_etl(connection: psycopg.Connection) -> Iterator[Figure]:
    (stop,) = connection.execute("SELECT date_trunc('day', now(), %s) + interval '1 day'", [ZONE]).fetchone() or (None,)
    (start,) = connection.execute("SELECT %s::timestamptz - interval '30 days'", [stop]).fetchone() or (None,)
    scope = Scope(start, stop)

    def ours() -> None:
        figures_reading.totals(connection, scope)
        figures_reading.runs_by_state(connection, scope)
        for by in (figures_reading.EXTRACT, figures_reading.PRACTICE):
            figures_reading.parts(connection, scope, by)
        figures_reading.failed(connection)
        figures_reading.superseded(connection, scope)

    def directly() -> None:
        for query in _DIRECT:
            connection.execute(query, {"start": start, "stop": stop}).fetchall()

    ratios, ms, worked = [], [], []
    for _turn in range(3):
        took, began = _milliseconds(directly), _server_cpu(connection)
        ms.append(_milliseconds(ours))
        worked.append(_server_cpu(connection) - began)
        ratios.append(took / ms[-1])
    yield at_most("dashboard_figures_30_days", median(ms), LIMIT_MS, baseline="none", unit="ms")
    told = "of these the server's processor time"
    yield at_most("dashboard_figures_cpu", median(worked), LIMIT_MS, baseline=told, unit="ms")
    yield at_least("dashboard_figures_speedup", median(ratios), 10, baseline="the same figures straight from etl")


_CHANGE = """UPDATE etl.load_run_files SET rows_read = rows_read + 1 WHERE load_run_id IN
    (SELECT load_run_id FROM etl.load_runs ORDER BY created_at DESC OFFSET %s LIMIT 1)"""
_OF_SPAN = """SELECT {by}, {measures} FROM (SELECT f.*, coalesce(f.finished_at, f.updated_at) AS ended,
    nullif(restage.extracted_at(f.date_extracted), '-infinity') AS extracted FROM etl.load_runs r
    JOIN etl.load_run_files f USING (load_run_id) WHERE r.created_at >= %(start)s AND r.created_at < %(stop)s) f
    GROUP BY 1"""
_LAST_SUCCESS = "SELECT {by}, max(finished_at) FROM etl.load_run_files WHERE status = 'completed' GROUP BY 1"
_BY_STATE = """SELECT {state}, count(*) FROM etl.load_runs r
    WHERE created_at >= %(start)s AND created_at < %(stop)s GROUP BY 1"""
_BY_CAUSE = """SELECT left(md5({cause}), 8), count(*) FROM etl.load_run_files f
    WHERE status = 'failed' AND superseded_at IS NULL GROUP BY 1"""
_DIRECT = (
    *(_OF_SPAN.format(by=by, measures=MEASURES) for by in ("''", "extract_type", "practice_id")),
    *(_LAST_SUCCESS.format(by=by) for by in ("extract_type", "practice_id")),
    _BY_STATE.format(state=TOLD_STATE),
    _BY_CAUSE.format(cause=TOLD_CAUSE),
    "SELECT count(*), sum(rows_ingested), sum(content_bytes) FROM etl.load_run_files WHERE superseded_at IS NOT NULL",
)


def _increments(connection: psycopg.Connection) -> Iterator[Figure]:
    for name, days, limit in (("today", 1, LIMIT_MS), ("seven_days", 7, 1000.0)):
        taken, worked = [], []
        for turn in range(5):
            connection.execute(
                "UPDATE etl.load_run_files SET rows_read = rows_read + 1 WHERE load_run_id IN (SELECT load_run_id"
                " FROM etl.load_runs WHERE created_at > now() - %s * interval '1 day' ORDER BY hashtext("
                "load_run_id::text || %s) LIMIT 20)",
                [days - 0.5, turn],
            )
            began = _server_cpu(connection)
            taken.append(_milliseconds(lambda: figures.refresh(connection, zone=ZONE)))
            worked.append(_server_cpu(connection) - began)
        told = "100 files changed"
        yield at_most(f"dashboard_refresh_{name}", median(taken), limit, baseline=told, unit="ms")
        told = "of these the server's processor time"
        yield at_most(f"dashboard_refresh_{name}_cpu", median(worked), limit, baseline=told, unit="ms")
    connection.execute("VACUUM ANALYZE restage.figures_files")


def _loader_cost(connection: psycopg.Connection) -> float:
    """How much longer a loader takes that commits a run, a file and their ends, one statement each."""

    def load_some() -> None:
        for number in range(60):
            run = uuid4()
            connection.execute(
                "INSERT INTO etl.load_runs (load_run_id, status, triggered_by) VALUES (%s, 'running', 'b')", [run]
            )
            connection.execute(
                "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash,"
                " date_extracted, extract_type, per_org_id, practice_id, status) VALUES (%s, 'b', %s, '', %s, '',"
                " 'Patient', '1', 'p1', 'processing')",
                [run, str(number), uuid4().hex],
            )
            connection.execute("UPDATE etl.load_run_files SET status = 'completed' WHERE load_run_id = %s", [run])
            connection.execute("UPDATE etl.load_runs SET status = 'completed' WHERE load_run_id = %s", [run])

    def toggled(how: str) -> None:
        for of, name in figures_schema.TRIGGERS:
            connection.execute(sql.SQL(f"ALTER TABLE {of} {how} TRIGGER {name}"))

    pair = alternate(
        connection,
        load_some,
        lambda: load_some(),
        before_ours=lambda: toggled("ENABLE"),
        before_theirs=lambda: toggled("DISABLE"),
    )
    toggled("ENABLE")
    return pair.time_ratio


def _somebody() -> Client:
    from django.contrib.auth.models import User

    from access import rights

    user = User.objects.create_user("bench")
    rights.give(user, ["ops"])
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    return client


def _server_cpu(connection: psycopg.Connection) -> float:
    """Processor time of the connection's own server process so far, in ms; 0 where that is on another machine."""
    told = Path(f"/proc/{connection.info.backend_pid}/schedstat")
    return int(told.read_text().split()[0]) / 1e6 if told.exists() else 0.0


def _milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def _p95(found: list[float]) -> float:
    return sorted(found)[max(0, -(-95 * len(found) // 100) - 1)]


def main() -> int:
    runs = int(os.environ.get("BENCH_RUNS", "1000000"))
    with places.two_databases(places.server()) as urls, tempfile.TemporaryDirectory() as folder:
        os.environ.update(urls, RESTAGE_HOME=folder, RESTAGE_TIME_ZONE=ZONE, DJANGO_SETTINGS_MODULE="config.settings")
        django.setup()
        call_command("migrate", verbosity=0)
        registry = load([SHIPPED])
        with connect(urls[databases.WAREHOUSE_URL], purpose="bench") as connection:
            adoption.apply(connection, registry)
            found = [told(figure) for figure in measure(connection, registry, runs)]
    return report("dashboard", found, f"{runs:,} load runs, {runs * FILES_A_RUN:,} files")


if __name__ == "__main__":
    sys.exit(main())
