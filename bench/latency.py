"""`python -m bench.latency`: from a commit in the warehouse to a plan in the console, through the real watcher.

Each event is a load run with a failed file, committed at a random moment; it is over when the console holds the job
about that run. Also what the triggers that tell of it cost a loader.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from bench import places
from bench.figures import Figure, alternate, at_most, report
from bench.ground import Ground
from config import databases
from tests.house import HEADER, VISITS, House
from tests.stack import MANAGE, Stack, eventually
from warehouse import adoption, happenings
from warehouse.registry import SHIPPED, load

EVENTS = 40
LIMIT_SECONDS = 2.0
GIVEN_UP_SECONDS = 30.0
LOADER_STATEMENTS = 300

MAKE_RULE = """
from django.contrib.auth.models import User
from access import rights
from reprocessing import askers
from reprocessing.models import Trigger
people = {role: User.objects.create_user(role) for role in ("operator", "ops")}
for role, user in people.items():
    rights.give(user, [role])
askers.save(Trigger(name="Retry", kind="run failed", quiet=0, cooldown=0, budget=1000, owner=people["operator"]),
            people["ops"])
"""


def fail_a_run(house: House, number: int, connection: psycopg.Connection) -> tuple[UUID, float]:
    """Commit a run whose only file failed (and can be read now); gives it and the moment before the commit."""
    name = f"e{number}_visits_20260105.csv"
    (house.folder / name).write_text(f"{HEADER}\n{number},2026-01-05,10,,\n")
    with connection.transaction():
        (run,) = connection.execute(
            "INSERT INTO etl.load_runs (status, triggered_by) VALUES ('failed', 'schedule') RETURNING load_run_id"
        ).fetchone() or (None,)
        connection.execute(
            "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,"
            " extract_type, per_org_id, practice_id, status, error_message)"
            " VALUES (%s, %s, %s, '', %s, '2026-01-05', 'Visits', '1', '1', 'failed', 'It could not be read.')",
            [run, str(house.folder), name, uuid4().hex],
        )
        began = time.perf_counter()
    return UUID(str(run)), began


def latencies(stack: Stack, events: int, *, quiet: bool = False) -> list[float]:
    """Seconds from each event's commit to its plan, one event after the other. `quiet`: without a notice."""
    found, chance = [], random.Random(7)
    console = psycopg.connect(stack.env[databases.CONSOLE_URL], autocommit=True)
    loader = psycopg.connect(stack.env[databases.WAREHOUSE_URL], autocommit=True)
    with console, loader:
        loader.execute("SET restage.quiet = 'on'" if quiet else "SET restage.quiet = 'off'")
        for _ in range(events):
            time.sleep(chance.uniform(0.05, 0.4))
            run, began = fail_a_run(stack.house, chance.randrange(10**12), loader)
            while not console.execute("SELECT 1 FROM jobs_jobrun WHERE load_run_id = %s", [run]).fetchone():
                if time.perf_counter() - began > GIVEN_UP_SECONDS:
                    raise TimeoutError("No plan came of an event.")
                time.sleep(0.005)
            found.append(time.perf_counter() - began)
    return found


def p95(found: list[float]) -> float:
    return sorted(found)[max(0, -(-95 * len(found) // 100) - 1)]


def started(stack: Stack) -> None:
    """Make the rule, start the watcher, and wait until it listens."""
    stack.shell(MAKE_RULE)
    stack.watcher()
    eventually(
        lambda: stack.house.connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'restage watch' AND datname = current_database()"
        ).fetchone()
    )


def measure(ground: Ground) -> Iterator[Figure]:
    """The figures, on databases of their own beside the ground's server."""
    with tempfile.TemporaryDirectory() as folder, stack_on(ground.url, Path(folder)) as stack:
        started(stack)
        latencies(stack, 3)
        found = latencies(stack, EVENTS)
        yield at_most("watch_commit_to_plan_p95", p95(found), LIMIT_SECONDS, baseline=f"{EVENTS} events", unit="s")
        yield at_most("watch_commit_to_plan_median", median(found), 1.0, baseline=f"{EVENTS} events", unit="s")
        with psycopg.connect(stack.env[databases.WAREHOUSE_URL]) as idle:  # a load that takes all the while
            idle.execute("SELECT pg_current_xact_id()")
            busy = latencies(stack, EVENTS)
        yield at_most(
            "watch_beside_a_long_load_p95", p95(busy), LIMIT_SECONDS, baseline="an open transaction", unit="s"
        )
        lost = latencies(stack, 10, quiet=True)
        yield at_most("watch_without_notice_p95", p95(lost), 5.0, baseline="10 events, every notice lost", unit="s")
        yield at_most("watch_loader_cost", _loader_cost(stack.house), 1.6, baseline="the same without the triggers")


def _loader_cost(house: House) -> float:
    """How much longer a loader takes that commits a run, a file and their ends, one statement each."""

    def load() -> None:
        for number in range(LOADER_STATEMENTS // 3):
            run, _began = fail_a_run(house, number, house.connection)
            house.connection.execute("UPDATE etl.load_runs SET status = 'completed' WHERE load_run_id = %s", [run])

    def toggled(how: str) -> None:
        for trigger_table, name in happenings.TRIGGERS:
            house.connection.execute(sql.SQL(f"ALTER TABLE {trigger_table} {how} TRIGGER {name}"))

    pair = alternate(
        house.connection,
        load,
        lambda: load(),
        before_ours=lambda: toggled("ENABLE"),
        before_theirs=lambda: toggled("DISABLE"),
    )
    toggled("ENABLE")
    return pair.time_ratio


@contextmanager
def stack_on(server: str, folder: Path) -> Iterator[Stack]:
    """The real processes on two databases that live as long as the block."""
    (folder / "extracts").mkdir()
    (folder / "extracts" / "visits.toml").write_text(VISITS)
    registry = load([SHIPPED, folder / "extracts"])
    with places.two_databases(server) as urls:
        env = {**urls, "RESTAGE_EXTRACTS": str(folder / "extracts"), "DJANGO_SETTINGS_MODULE": "config.settings"}
        with psycopg.connect(urls[databases.WAREHOUSE_URL], autocommit=True) as connection:
            adoption.apply(connection, registry)
            stack = Stack(House(connection, registry, folder / "deliveries"), env)
            try:
                assert stack.start(str(MANAGE), "migrate", "--verbosity", "0").wait(120) == 0
                yield stack
            finally:
                stack.stop()


def main() -> int:
    home, server = places.home(), places.server()
    with psycopg.connect(server, autocommit=True) as connection:
        ground = Ground(connection, server, load([SHIPPED, Path(__file__).parent / "extracts"]), home, home, 0)
        return report("latency", list(measure(ground)))


if __name__ == "__main__":
    sys.exit(main())
