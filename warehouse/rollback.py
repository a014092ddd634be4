"""Takes a published job back: its attempts leave, the ones they replaced count again, staging is folded anew.

Rows that come out as the before-image says get their former owner, load time and staging-only columns back too.
"""

from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import aside, attempts, build, builds, diff, downstream, journal, locks, names, publish
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.diff import Diff
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.registry import Extract, Registry
from warehouse.reprocess import LOCK_WAIT_MS, PUBLISH, ChangedSincePreviewError

ROLLBACK = "rollback"


class CannotRollBackError(TellableError):
    """The job cannot be taken back; the message says why and what can be done. Nothing was changed."""


def changes_of(connection: psycopg.Connection, registry: Registry, job_id: UUID) -> list[Change]:
    """What taking the job back means for each extract. Raises CannotRollBackError."""
    published = journal.done(connection, job_id, PUBLISH)
    if published is None:
        raise CannotRollBackError("This job has published nothing: there is nothing to take back.")
    pairs = {int(old): int(new) for old, new in published["files"].items()}
    if not pairs:
        raise CannotRollBackError(
            "This job only folded existing raw records again; their former result has no raw records of its own."
            " Reprocess the run instead."
        )
    olds = {attempt.load_run_file_id: attempt for attempt in attempts.of_ids(connection, pairs)}
    for new in attempts.of_ids(connection, pairs.values()):
        if new.status == "rolled_back":
            raise CannotRollBackError("This job has been rolled back already.")
        if new.superseded_in:
            raise CannotRollBackError(
                f"File {new.load_run_file_id} of this job has since been replaced by load run {new.superseded_in}."
                " Roll that one back first."
            )
    found = []
    for extract in registry.extracts:
        mine = {old: new for old, new in pairs.items() if olds[old].extract_type == extract.name}
        if mine:
            revive = tuple(old for old in mine if olds[old].status == "completed")
            found.append(Change(extract, retire=tuple(mine.values()), revive=revive))
    return found


def preview(
    connection: psycopg.Connection, registry: Registry, job_id: UUID, writer: Writer
) -> tuple[dict[str, Diff], dict[str, list[dict[str, Any]]]]:
    """What taking the job back would change, and a masked sample; writes nothing outside restage_build.

    Raises CannotRollBackError.
    """
    diffs, samples, space = {}, {}, Workspace(writer.tag)
    try:
        for change in changes_of(connection, registry, job_id):
            build.build(connection, change, space)
            diffs[change.extract.table] = diff.compute(connection, change, space)
            samples[change.extract.table] = diff.sample(connection, change, space)
    finally:
        aside.sweep(connection, writer.job_id)
    return diffs, samples


def execute(
    connection: psycopg.Connection,
    registry: Registry,
    job_id: UUID,
    writer: Writer,
    *,
    expected: dict[str, Diff] | None,
) -> dict[str, Any]:
    """Take the job `job_id` back on behalf of `writer`, in one transaction; the outcome, also when it had been done.

    Raises CannotRollBackError, ChangedSincePreviewError, ReplacedMeanwhileError, BusyError, LostFenceError.
    """
    journal.raise_fence(connection, writer)
    aside.sweep(connection, writer.job_id)
    if outcome := journal.done(connection, writer.job_id, ROLLBACK):
        return outcome
    space = Workspace(writer.tag)
    try:
        with connection.transaction():
            journal.hold_fence(connection, writer)
            outcome = _take_back(connection, registry, job_id, writer, space, expected)
            failpoint("rolling back")
        downstream.settle(connection)
    finally:
        aside.sweep(connection, writer.job_id)
    return outcome


def _take_back(
    connection: psycopg.Connection,
    registry: Registry,
    job_id: UUID,
    writer: Writer,
    space: Workspace,
    expected: dict[str, Diff] | None,
) -> dict[str, Any]:
    changes = changes_of(connection, registry, job_id)
    locks.tables(connection, [change.extract for change in changes], wait_ms=LOCK_WAIT_MS)
    published = journal.done(connection, job_id, PUBLISH) or {}
    tables = {}
    for change in changes:
        build.build(connection, change, space)
        found = diff.compute(connection, change, space)
        if expected is not None and expected.get(change.extract.table) != found:
            raise ChangedSincePreviewError(
                f"stg.{change.extract.table} has changed since the preview of this rollback. Nothing was changed;"
                " ask for it again to see what it would do now."
            )
        publish.keep_before(connection, change, space, writer)
        publish.apply(connection, change, space, found.counts)
        builds.note_folded(connection, change.extract, change.revive)
        downstream.note(connection, change, space, found.counts, writer.job_id)
        restored = _restore_owners(connection, change.extract, job_id)
        tables[change.extract.table] = {**found.as_json(), "restored_exactly": restored}
    for old, new in published["files"].items():
        attempts.withdraw(connection, int(new), int(old))
    taken_back = connection.execute(
        "UPDATE etl.load_runs SET status = 'rolled_back', updated_at = now() WHERE load_run_id IN"
        " (SELECT load_run_id FROM etl.load_run_files WHERE load_run_file_id = ANY(%s)) RETURNING load_run_id",
        [list(published["files"].values())],
    ).fetchall()
    outcome = {"tables": tables, "taken_back": [str(run) for (run,) in taken_back], "rolled_back_job": str(job_id)}
    journal.record(connection, writer, ROLLBACK, outcome)
    journal.effect(connection, writer, "rollback", outcome)
    return outcome


def _restore_owners(connection: psycopg.Connection, extract: Extract, job_id: UUID) -> int:
    """Rows that again hold what the before-image holds get its owner, load time and staging-only columns."""
    columns = ["load_run_file_id", "load_ts", *(column.name for column in extract.staging_only)]
    return connection.execute(
        sql.SQL(
            "UPDATE {stg} s SET ({columns}) = ROW({images}) FROM restage.before_images b"
            " CROSS JOIN LATERAL jsonb_populate_record(NULL::{stg}, b.image) i"
            " WHERE b.job_id = {job} AND b.table_name = {table} AND b.image IS NOT NULL AND {same}"
            " AND ({kept}) IS NOT DISTINCT FROM ({was})"
        ).format(
            stg=names.staging(extract),
            columns=names.columns(columns),
            images=names.columns(columns, of="i"),
            job=sql.Literal(job_id),
            table=sql.Literal(extract.table),
            same=names.same_key(extract, "s", "i"),
            kept=names.staged(extract, of="s"),
            was=names.staged(extract, of="i"),
        )
    ).rowcount
