"""Databases in which an operation can be broken, the operations, and what is there afterwards against what is due."""

import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from tests import archived
from tests.house import House, Row, row
from warehouse import adoption, aside, attempts, ingest, unpinning
from warehouse.errors import TellableError
from warehouse.journal import Writer
from warehouse.registry import Registry
from warehouse.reprocess import Work

NAMESPACE = UUID("6f0c2f0a-54a1-4a83-9f2c-5a3a8f6f7a11")
DEFECT = 70  # how a child ends that met something else than what it was broken off by
UNDONE, JOB = uuid5(NAMESPACE, "undone"), uuid5(NAMESPACE, "job")
EMPTY = "fault_empty"
Operation = Callable[[House, int], object]


@dataclass(frozen=True)
class Result:
    """Of one broken and repeated operation: rows of staging and live raw records that are lost or too many, keys at
    which staging is not the fold of raw, effects of the job, and tables and notes that are left aside."""

    lost: int
    duplicated: int
    violations: int
    effects: int
    left: int


class Fields:
    """A server with an adopted empty warehouse as template. `folder` is for the delivered files."""

    def __init__(self, server: str, registry: Registry, folder: Path) -> None:
        self.server, self.registry, self.folder = server, registry, folder

    def adopt(self) -> None:
        """Make the empty warehouse. Raises nothing where one is left from before: it is made anew."""
        with self._admin() as admin:
            _drop(admin, EMPTY)
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(EMPTY)))
        with psycopg.connect(self.url(EMPTY), autocommit=True) as connection:
            adoption.apply(connection, self.registry)

    def forget(self) -> None:
        with self._admin() as admin:
            _drop(admin, EMPTY)

    def url(self, name: str) -> str:
        return urlsplit(self.server)._replace(path=f"/{name}").geturl()

    def _admin(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(self.server, autocommit=True)

    @contextmanager
    def copy(self, name: str, like: str = EMPTY) -> Iterator[str]:
        """A database that lives as long as the block; its name."""
        with self._admin() as admin:
            _drop(admin, name)
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
                    sql.Identifier(name), sql.Identifier(like)
                )
            )
        try:
            yield name
        finally:
            with self._admin() as admin:
                _drop(admin, name)

    @contextmanager
    def house(
        self, name: str, kind: type[psycopg.Connection[Any]] = psycopg.Connection, url: str = ""
    ) -> Iterator[House]:
        with kind.connect(url or self.url(name), autocommit=True, options="-c timezone=UTC") as connection:
            yield House(connection, self.registry, self.folder)

    def again(self, name: str, operation: str, due: "State", *, epoch: int = 2) -> Result:
        """Let the next worker carry the operation out, and count what is there against what is due."""
        with self.house(name) as house:
            OPERATIONS[operation](house, epoch)
            found = state(house)
            pairs = list(zip(due, found, strict=True))
            effects, left = house.connection.execute(
                "SELECT (SELECT count(*) FROM restage.effects WHERE job_id = %s),"
                " (SELECT count(*) FROM pg_tables WHERE schemaname = 'restage_build')"
                " + (SELECT count(*) FROM restage.aside_notes) + (SELECT count(*) FROM restage.archive_uses)",
                [JOB],
            ).fetchone() or (0, 0)
            return Result(
                lost=sum((Counter(due) - Counter(there)).total() for due, there in pairs),
                duplicated=sum((Counter(there) - Counter(due)).total() for due, there in pairs),
                violations=house.violations(),
                effects=effects,
                left=left,
            )

    def unbroken(self, like: str, operation: str) -> "State":
        """What the operation gives when nothing breaks it."""
        with self.copy("fault_due", like) as name, self.house(name) as house:
            OPERATIONS[operation](house, 1)
            return state(house)


def _drop(admin: "psycopg.Connection[Any]", name: str) -> None:
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


State = tuple[list[Any], list[Any]]


def state(house: House) -> State:
    """Staging with what is pinned in it and kept of it in safety sets, and the raw records that count."""
    staged = house.connection.execute(
        "SELECT visit_id, fee::text FROM stg.visits UNION ALL SELECT key ->> 'visit_id', 'pinned' FROM restage.pins"
        " UNION ALL SELECT visit_id, 'kept ' || fee FROM stg.visits_archive a JOIN restage.archive_parts p"
        " ON p.archived_at = a.archived_at AND p.archive_version = a.archive_version"
        " JOIN restage.archive_sets s USING (set_id) WHERE s.kind = 'safety' ORDER BY 1, 2"
    ).fetchall()
    raw = house.connection.execute(
        "SELECT r.visit_id, r.fee FROM raw.visits r JOIN etl.load_run_files f USING (load_run_file_id)"
        " WHERE f.status = 'completed' AND f.superseded_at IS NULL ORDER BY 1, 2"
    ).fetchall()
    return staged, raw


def prepare(house: House, operation: str, seed: int = 0) -> None:
    """Two files of the same keys, the older one changed since. For a rollback it is reprocessed already."""
    for old in house.folder.iterdir():
        old.unlink()
    dice = Random(seed)

    def some(least: int, most: int) -> list[Row]:
        return [row(str(n), fee=str(dice.randint(1, 9))) for n in dice.sample(range(60), dice.randint(least, most))]

    house.deliver("20260105", *some(20, 40))
    house.deliver("20260106", *some(5, 15), org="b")
    house.write("20260105", *some(20, 40), row("x", seen="never"))
    if operation == "rollback":
        house.reprocess(_first_run(house), job=UNDONE)
    if operation in ("restore", "unpin"):
        _archive(house)
    if operation == "unpin":
        _restored(house, UNDONE, 1)
    if operation == "load":
        house.write("20260107", *some(10, 30), org="c")
        house.write("20260107", *some(5, 10), org="d")


def _archive(house: House) -> None:
    """The newer file is archived and then read again as an empty one; some of what is left is lost."""
    (run,) = house.connection.execute(
        "SELECT load_run_id FROM etl.load_run_files WHERE per_org_id = 'b'"
    ).fetchone() or (None,)
    archived.archive(house, UUID(str(run)))
    house.write("20260106", org="b")
    house.reprocess(UUID(str(run)))
    house.connection.execute(
        "DELETE FROM stg.visits WHERE visit_id::integer % 7 = 0 AND visit_id IN"
        " (SELECT visit_id FROM stg.visits_archive)"
    )


def _restored(house: House, job: UUID, epoch: int) -> object:
    (kept,) = house.connection.execute(
        "SELECT set_id FROM restage.archive_sets WHERE kind = 'archive' ORDER BY archived_at LIMIT 1"
    ).fetchone() or (None,)
    return archived.restore(house, UUID(str(kept)), job=job, epoch=epoch, agreed=False, on_newer="overwrite")


def _restore(house: House, epoch: int) -> object:
    return _restored(house, JOB, epoch)


def _unpin(house: House, epoch: int) -> object:
    writer = Writer(JOB, epoch, "operator")
    return unpinning.execute(house.connection, house.registry, UNDONE, writer, expected=None)


def _first_run(house: House) -> UUID:
    (run,) = house.connection.execute(
        "SELECT load_run_id FROM etl.load_run_files ORDER BY load_run_file_id LIMIT 1"
    ).fetchone() or (None,)
    return UUID(str(run))


def _reprocess(house: House, epoch: int) -> object:
    return house.reprocess(_first_run(house), job=JOB, epoch=epoch)


def _delete_raw(house: House, epoch: int) -> object:
    run = _first_run(house)
    return house.reprocess(run, job=JOB, epoch=epoch, work=replace(house.work(run), delete_raw=True))


def _quarantine(house: House, epoch: int) -> object:
    run = _first_run(house)
    return house.reprocess(run, job=JOB, epoch=epoch, work=Work(quarantine=tuple(house.work(run).files)))


def _refold(house: House, epoch: int) -> object:
    files = tuple(a.load_run_file_id for a in attempts.of_runs(house.connection, [_first_run(house)]))
    return house.reprocess(_first_run(house), job=JOB, epoch=epoch, work=Work(refold=files))


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


OPERATIONS: dict[str, Operation] = {
    "reprocess": _reprocess,
    "delete raw": _delete_raw,
    "quarantine": _quarantine,
    "refold": _refold,
    "rollback": _roll_back,
    "load": _load,
    "restore": _restore,
    "unpin": _unpin,
}


def in_child(work: Callable[[], bool]) -> bool:
    """Do it in a process of its own; whether it ended by itself and said yes. Raises RuntimeError where it ends by
    anything else than what it was broken off by."""
    child = os.fork()
    if child == 0:
        code = DEFECT
        try:
            code = 0 if work() else 1
        except (TellableError, psycopg.Error):
            code = 1
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:  # never back into what the parent does
            os._exit(code)
    _pid, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == DEFECT:
        raise RuntimeError("What was to be broken off has a defect of its own; it is printed above.")
    return status == 0


def small_chunks() -> None:
    """Have even a small file read in several chunks, each a transaction."""
    aside.CHUNK_SECONDS = 0.0
    ingest.BLOCK_CHARACTERS = 250
