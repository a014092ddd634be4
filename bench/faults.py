"""`python -m bench.faults`: break an operation at every round trip to the server, let the next worker go on, count.

For N = 1, 2, 3 … the operation is broken at its N-th round trip, until it comes through untouched, so that no boundary
is forgotten; then it is carried out again, as the next worker would, and staging is compared with what an unbroken
run gives. A kill is SIGKILL of the process; a cut loses the connection, before the request or after its reply was
sent (a COMMIT whose reply is lost is one of these). FAULT_STEP=3 takes every third N only.
"""

import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from bench.figures import Figure, at_least, at_most, table, write
from config import embedded
from tests.house import VISITS, House, row
from warehouse import adoption
from warehouse.errors import TellableError
from warehouse.registry import SHIPPED, Registry, load

NAMESPACE = UUID("6f0c2f0a-54a1-4a83-9f2c-5a3a8f6f7a11")
UNDONE, JOB = uuid5(NAMESPACE, "undone"), uuid5(NAMESPACE, "job")
MODES = ("kill_before", "kill_after", "cut_before", "cut_after")
MOST = 1_000
PARALLEL = 10
Operation = Callable[[House, int], object]


class Breaking(psycopg.Connection[Any]):
    """A connection that breaks at its `at`-th round trip."""

    at, mode, trips = 0, "", 0

    def wait(self, *args: Any, **options: Any) -> Any:
        self.trips += 1
        if self.trips != self.at:
            return super().wait(*args, **options)
        if self.mode.startswith("kill"):
            if self.mode == "kill_after":
                super().wait(*args, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "cut_after":
            super().wait(*args, **options)
        self.pgconn.finish()
        raise psycopg.OperationalError("the connection was cut")


@dataclass
class Result:
    """Of one broken and repeated operation."""

    untouched: bool
    lost: int = 0
    duplicated: int = 0
    violations: int = 0
    effects: int = 0
    left: int = 0


class Fields:
    """A server with template databases, one for each operation."""

    def __init__(self, server: str, registry: Registry, folder: Path) -> None:
        self.server, self.registry, self.folder = server, registry, folder
        self.expected: dict[str, tuple[list[Any], list[Any]]] = {}

    @contextmanager
    def database(self, name: str, like: str = "template1") -> Iterator[str]:
        with psycopg.connect(self.server, autocommit=True) as admin:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            admin.execute(drop)
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
                    sql.Identifier(name), sql.Identifier(like)
                )
            )
            try:
                yield urlsplit(self.server)._replace(path=f"/{name}").geturl()
            finally:
                admin.execute(drop)

    @contextmanager
    def house(
        self, url: str, operation: str, kind: type[psycopg.Connection[Any]] = psycopg.Connection
    ) -> Iterator[House]:
        with kind.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
            yield House(connection, self.registry, self.folder / operation)


def _prepare(house: House, operation: str) -> None:
    """Two files of the same keys; the older one has changed since. For a rollback it is reprocessed already."""
    rows = [row(str(n), fee=str(n)) for n in range(30)]
    house.deliver("20260105", *rows)
    house.deliver("20260106", *[row(str(n), fee="200") for n in range(10)], org="b")
    house.write("20260105", *[row(str(n), fee=str(n + 100)) for n in range(5, 35)], row("x", seen="never"))
    if operation == "rollback":
        house.reprocess(_first_run(house), job=UNDONE)
    if operation == "load":
        house.write("20260107", *[row(str(n), fee="300") for n in range(20, 40)], org="c")
        house.write("20260107", *[row(str(n), fee="400") for n in range(50, 60)], org="d")


def _first_run(house: House) -> UUID:
    (run,) = house.connection.execute(
        "SELECT load_run_id FROM etl.load_run_files ORDER BY load_run_file_id LIMIT 1"
    ).fetchone() or (None,)
    assert run is not None
    return UUID(str(run))


def _reprocess(house: House, epoch: int) -> object:
    return house.reprocess(_first_run(house), job=JOB, epoch=epoch)


def _roll_back(house: House, epoch: int) -> object:
    return house.roll_back(UNDONE, by=JOB, epoch=epoch)


def _load(house: House, epoch: int) -> object:
    """Load; a second time also what the first left unfinished, as discovery would have it."""
    house.load()
    stuck = house.connection.execute(
        "SELECT DISTINCT load_run_id FROM etl.load_run_files WHERE status <> 'completed' AND superseded_at IS NULL"
    ).fetchall()
    for (run,) in stuck:
        house.reprocess(run)
    return None


OPERATIONS: dict[str, Operation] = {"reprocess": _reprocess, "rollback": _roll_back, "load": _load}


def _broken(fields: Fields, url: str, operation: str, at: int, mode: str) -> bool:
    """Carry the operation out in a process of its own that breaks at its `at`-th trip; whether it came through."""
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(TellableError, psycopg.Error), fields.house(url, operation, Breaking) as house:
            connection = house.connection
            assert isinstance(connection, Breaking)
            connection.at, connection.mode, connection.trips = at, mode, 0
            OPERATIONS[operation](house, 1)
            code = 0 if connection.trips < at else 1
        os._exit(code)
    _pid, status = os.waitpid(child, 0)
    return status == 0


def _state(house: House) -> tuple[list[Any], list[Any]]:
    """Staging, and the raw records that count."""
    staged = house.connection.execute("SELECT visit_id, fee::text FROM stg.visits ORDER BY 1, 2").fetchall()
    raw = house.connection.execute(
        "SELECT r.visit_id, r.fee FROM raw.visits r JOIN etl.load_run_files f USING (load_run_file_id)"
        " WHERE f.status = 'completed' AND f.superseded_at IS NULL ORDER BY 1, 2"
    ).fetchall()
    return staged, raw


def _again(fields: Fields, url: str, operation: str) -> Result:
    """Let the next worker carry the operation out, and count what is there against what is due."""
    with fields.house(url, operation) as house:
        OPERATIONS[operation](house, 2)
        expected, found = fields.expected[operation], _state(house)
        lost = sum((Counter(due) - Counter(there)).total() for due, there in zip(expected, found, strict=True))
        more = sum((Counter(there) - Counter(due)).total() for due, there in zip(expected, found, strict=True))
        (effects, left) = house.connection.execute(
            "SELECT (SELECT count(*) FROM restage.effects WHERE job_id = %s),"
            " (SELECT count(*) FROM pg_tables WHERE schemaname = 'restage_build')",
            [JOB],
        ).fetchone() or (0, 0)
        return Result(False, lost, more, house.violations(), effects, left)


def rounds(fields: Fields, operation: str, mode: str, step: int) -> Iterator[Result]:
    """Break the operation at trip 1, 1 + step, … until it comes through untouched."""
    for at in range(1, MOST, step):
        with fields.database("fault_now", f"fault_{operation}") as url:
            untouched = _broken(fields, url, operation, at, mode)
            result = _again(fields, url, operation)
        result.untouched = untouched
        yield result
        if untouched:
            return
    raise AssertionError(f"{operation} needs more than {MOST} round trips.")


def _delivered_often(fields: Fields) -> int:
    """The effects of a job that ten workers carry out at once."""
    with fields.database("fault_now", "fault_reprocess") as url:
        children = []
        for epoch in range(1, PARALLEL + 1):
            child = os.fork()
            if child == 0:
                with suppress(TellableError, psycopg.Error), fields.house(url, "reprocess") as house:
                    OPERATIONS["reprocess"](house, epoch)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        return _again_with(fields, url, PARALLEL + 1)


def _again_with(fields: Fields, url: str, epoch: int) -> int:
    with fields.house(url, "reprocess") as house:
        OPERATIONS["reprocess"](house, epoch)
        (effects,) = house.connection.execute(
            "SELECT count(*) FROM restage.effects WHERE job_id = %s", [JOB]
        ).fetchone() or (0,)
        return int(effects)


def measure(fields: Fields, step: int) -> Iterator[Figure]:
    for operation in OPERATIONS:
        with fields.database("fault_now", f"fault_{operation}") as url, fields.house(url, operation) as house:
            OPERATIONS[operation](house, 1)
            fields.expected[operation] = _state(house)
    for mode in ("kill", "cut"):
        found: list[Result] = []
        for operation in OPERATIONS:
            for side in ("before", "after"):
                found += rounds(fields, operation, f"{mode}_{side}", step)
                print(f"{operation}, {mode} {side}: {len(found)} rounds so far", file=sys.stderr, flush=True)
        broken = [result for result in found if not result.untouched]
        yield at_least(f"kill_rounds_by_{mode}", len(broken), 100, baseline="every round trip", unit="rounds")
        for name, value in (
            ("rows_lost", sum(r.lost for r in found)),
            ("rows_duplicated", sum(r.duplicated for r in found)),
            ("stuck", sum(r.left for r in found)),
            ("kill_violations", sum(r.violations for r in found)),
            ("delivery_second_effects", sum(max(0, r.effects - 1) for r in found)),
        ):
            yield at_most(f"{name}_after_{mode}", value, 0, baseline="an unbroken run", unit="count")
    effects = _delivered_often(fields)
    yield at_most("delivery_effects_of_ten_workers", effects, 1, baseline="one worker", unit="count")


def main() -> int:
    home = Path(os.environ.get("RESTAGE_HOME", Path(__file__).resolve().parent.parent / ".restage" / "bench"))
    server = os.environ.get("BENCH_SERVER") or embedded.use(home).url("postgres")
    with tempfile.TemporaryDirectory() as name:
        extracts, folder = Path(name) / "extracts", Path(name) / "deliveries"
        extracts.mkdir()
        (extracts / "visits.toml").write_text(VISITS)
        fields = Fields(server, load([SHIPPED, extracts]), folder)
        with fields.database("fault_empty") as empty:
            with psycopg.connect(empty, autocommit=True) as connection:
                adoption.apply(connection, fields.registry)
            found = _with_templates(fields, list(OPERATIONS), int(os.environ.get("FAULT_STEP", "1")))
    print(table(found))
    print(f"Written to {write('faults', found)}")
    return 0 if all(figure.holds for figure in found) else 1


def _with_templates(fields: Fields, operations: list[str], step: int) -> list[Figure]:
    if not operations:
        return list(measure(fields, step))
    with fields.database(f"fault_{operations[0]}", "fault_empty") as url:
        with fields.house(url, operations[0]) as house:
            _prepare(house, operations[0])
        return _with_templates(fields, operations[1:], step)


if __name__ == "__main__":
    sys.exit(main())
