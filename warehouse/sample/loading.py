"""Loads the sample's deliveries in the order in which they came, and lets happen to some of them what happens."""

import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from warehouse import attempts, deliveries, names, reprocess, rollback, schema
from warehouse.errors import TellableError
from warehouse.journal import Writer
from warehouse.registry import Registry
from warehouse.reprocess import Work
from warehouse.sample import DENGUE, Delivery, write
from warehouse.undoing import Undo


class ForeignRunsError(TellableError):
    """Invented people must not be mixed with real ones."""


ACTOR = "sample"
FEWEST_ROWS = 2_000
WHOLE = ".loaded"  # a file that is there once everything is loaded


def load(
    connection: psycopg.Connection,
    registry: Registry,
    folder: Path,
    *,
    rows: int,
    today: date,
    told: Callable[[str], None],
) -> int:
    """Write the deliveries below `folder` and load them; the number of load runs. 0: they are there already.

    Raises ForeignRunsError where the warehouse holds load runs and the folder no sample.
    """
    if (folder / WHOLE).exists():
        return 0
    if folder.exists():
        _forget(connection, registry, folder)
    if connection.execute("SELECT EXISTS (SELECT FROM etl.load_runs)").fetchone() == (True,):
        raise ForeignRunsError("This warehouse holds load runs already: the sample goes into an empty one only.")
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    made = 0
    for delivery in write(folder, registry, rows=rows, ending=sunday):
        for run in _deliver(connection, registry, delivery):
            told(f"{run}  {delivery.name}")
            made += 1
            made += _happen(connection, registry, delivery, run)
    report = deliveries.load(connection, registry, str(DENGUE), triggered_by="schedule")
    told(f"{len(report.runs)} weeks of dengue cases")
    (folder / WHOLE).touch()
    return made + len(report.runs)


def _forget(connection: psycopg.Connection, registry: Registry, folder: Path) -> None:
    """Take away a sample whose loading was broken off. Raises ForeignRunsError where other files were loaded too."""
    others = connection.execute(
        "SELECT EXISTS (SELECT FROM etl.load_run_files WHERE NOT starts_with(s3_bucket, %s) AND s3_bucket <> %s)",
        [str(folder), str(DENGUE)],
    ).fetchone()
    if others == (True,):
        raise ForeignRunsError("The sample was not loaded whole, and other files are in its warehouse: it stays so.")
    tables = [name for extract in registry.extracts for name in (names.raw(extract), names.staging(extract))]
    ours = [sql.Identifier("restage", name) for name in schema.RESTAGE_TABLES if name != "applied"]
    everything = sql.SQL(", ").join([*tables, *ours, sql.Identifier("etl", "load_runs")])
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(everything))
    shutil.rmtree(folder)


def _deliver(connection: psycopg.Connection, registry: Registry, delivery: Delivery) -> list[UUID]:
    """Load it; "bad logic" arrives with a wrong status in its appointments, and the source is corrected afterwards."""
    spoilt = [path for path in delivery.files if delivery.name == "bad logic" and "_Appointments_" in path.name]
    right = {path: path.read_bytes() for path in spoilt}
    for path, content in right.items():
        path.write_bytes(content.replace("Completed".encode("utf-16-le"), "Booked".encode("utf-16-le")))
    report = deliveries.load(connection, registry, str(delivery.folder), triggered_by="schedule")
    for path, content in right.items():
        path.write_bytes(content)
    runs = [loaded.load_run_id for loaded in report.runs]
    for run in runs:
        _happened_then(connection, run, delivery)
    return runs


def _happened_then(connection: psycopg.Connection, run: UUID, delivery: Delivery) -> None:
    """The run was loaded half an hour after its extraction, not now."""
    then = {"run": run, "then": delivery.extracted + timedelta(minutes=30)}
    connection.execute(
        "UPDATE etl.load_run_files SET created_at = %(then)s, started_at = %(then)s,"
        " finished_at = %(then)s + (finished_at - started_at), updated_at = %(then)s WHERE load_run_id = %(run)s",
        then,
    )
    connection.execute(
        "UPDATE etl.load_runs SET created_at = %(then)s, started_at = %(then)s,"
        " completed_at = %(then)s + (completed_at - started_at), updated_at = %(then)s WHERE load_run_id = %(run)s",
        then,
    )


def _happen(connection: psycopg.Connection, registry: Registry, delivery: Delivery, run: UUID) -> int:
    """What befalls a run later; the number of load runs that this adds."""
    if delivery.name == "stuck":
        _set_state(connection, run, "running", "processing")
        connection.execute(
            "UPDATE etl.load_runs SET completed_at = NULL, started_at = now() - interval '3 hours',"
            " updated_at = now() - interval '3 hours' WHERE load_run_id = %s",
            [run],
        )
        connection.execute(
            "UPDATE etl.load_run_files SET updated_at = now() - interval '3 hours' WHERE load_run_id = %s", [run]
        )
    elif delivery.name == "cancelled":
        _set_state(connection, run, "cancelled", None)
    elif delivery.name == "reprocessed twice":
        again = _reprocess(connection, registry, run)[1]
        _reprocess(connection, registry, again)
        return 2
    elif delivery.name == "rolled back":
        job = _reprocess(connection, registry, run)[0]
        rollback.execute(connection, registry, Undo((job,)), Writer(uuid4(), 1, ACTOR), expected=None)
        return 1
    return 0


def _set_state(connection: psycopg.Connection, run: UUID, state: str, last_file: str | None) -> None:
    """The run stopped before its last file was done: that file's records are in neither raw nor staging."""
    connection.execute("UPDATE etl.load_runs SET status = %s WHERE load_run_id = %s", [state, run])
    if last_file:
        connection.execute(
            "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,"
            " extract_type, per_org_id, practice_id, started_at, status)"
            " SELECT load_run_id, s3_bucket, replace(s3_key, extract_type, 'Diagnosis'), '', 'unread:' || s3_key,"
            " date_extracted, 'Diagnosis', per_org_id, practice_id, now() - interval '3 hours', %s"
            " FROM etl.load_run_files WHERE load_run_id = %s ORDER BY load_run_file_id DESC LIMIT 1",
            [last_file, run],
        )


def _reprocess(connection: psycopg.Connection, registry: Registry, run: UUID) -> tuple[UUID, UUID]:
    """(job, new run)."""
    writer = Writer(uuid4(), 1, ACTOR)
    files = {a.load_run_file_id: a.address.content() for a in attempts.of_runs(connection, [run])}
    outcome = reprocess.execute(
        connection, registry, Work(files=files), writer, reason="part of the sample", expected=None
    )
    return writer.job_id, UUID(outcome["load_runs"][str(run)])
