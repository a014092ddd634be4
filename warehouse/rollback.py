"""Takes published jobs back: their attempts leave, the ones they replaced count again, staging is folded anew.

Rows that come out as the before-image says get their former owner, load time and staging-only columns back too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import (
    aside,
    attempts,
    before_images,
    build,
    builds,
    diff,
    downstream,
    journal,
    locks,
    names,
    publish,
    runs,
    since,
    undoing,
)
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.diff import Diff
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.registry import Extract, Registry
from warehouse.reprocess import LOCK_WAIT_MS, ChangedSincePreviewError
from warehouse.undoing import Undo, Undoing

ROLLBACK = "rollback"


@dataclass(frozen=True)
class Expected:
    """What was approved: table → what changes, and table → whether every row of it comes back exactly."""

    diffs: Mapping[str, Diff]
    exact: Mapping[str, bool]


@dataclass
class Previewed:
    """What taking back would do, by table: diffs, masked samples, what was built on top, exact or values only."""

    diffs: dict[str, Diff] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    on_top: dict[str, dict[str, Any]] = field(default_factory=dict)
    exact: dict[str, bool] = field(default_factory=dict)


def preview(connection: psycopg.Connection, registry: Registry, undo: Undo, writer: Writer) -> Previewed:
    """The dry run of execute(); writes nothing outside restage_build. Raises CannotRollBackError."""
    found, space = Previewed(), Workspace(writer.tag)
    resolved = undoing.resolve(connection, registry, undo)
    try:
        for change in resolved.changes:
            table = change.extract.table
            build.build(connection, change, space)
            found.diffs[table] = diff.compute(connection, change, space)
            found.samples[table] = diff.sample(connection, change, space)
            found.on_top[table] = since.on_top(connection, registry, undo, resolved, change, space).as_json()
            space.clear(connection, change.extract)
    finally:
        aside.sweep(connection, writer.job_id)
    found.exact = _exact(connection, undo, resolved)
    return found


def execute(
    connection: psycopg.Connection,
    registry: Registry,
    undo: Undo,
    writer: Writer,
    *,
    expected: Expected | None,
) -> dict[str, Any]:
    """Take the jobs back on behalf of `writer`, in one transaction; the outcome, also when it had been done.

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
            outcome = _take_back(connection, registry, undo, writer, space, expected)
            failpoint("rolling back")
        downstream.settle(connection)
    finally:
        aside.sweep(connection, writer.job_id)
    return outcome


def _take_back(
    connection: psycopg.Connection,
    registry: Registry,
    undo: Undo,
    writer: Writer,
    space: Workspace,
    expected: Expected | None,
) -> dict[str, Any]:
    resolved = undoing.resolve(connection, registry, undo)
    locks.tables(connection, [change.extract for change in resolved.changes], wait_ms=LOCK_WAIT_MS)
    exact = _exact(connection, undo, resolved)
    tables = {}
    for change in resolved.changes:
        build.build(connection, change, space)
        found = diff.compute(connection, change, space)
        _refuse_other_than(expected, change.extract, found, exact)
        before_images.keep(connection, change, space, writer)
        publish.apply(connection, change, space, found.counts)
        builds.note_folded(connection, change.extract, change.revive)
        downstream.note(connection, change, space, found.counts, writer.job_id)
        restored = sum(_restore(connection, change, space, undo, resolved, job_id) for job_id in undo.jobs)
        restored += sum(_pass_back(connection, change, job_id) for job_id in undo.jobs)
        publish.own_anew(connection, change, space, resolved.withdrawn)
        tables[change.extract.table] = {**found.as_json(), "restored_exactly": restored}
    for new, old in resolved.withdrawals:
        attempts.withdraw(connection, new.load_run_file_id, old.load_run_file_id)
    outcome = {
        "tables": tables,
        "taken_back": [str(run) for run in runs.roll_back(connection, resolved.withdrawn)],
        "rolled_back_jobs": [str(job_id) for job_id in undo.jobs],
        "left": undoing.left(connection, undo.jobs),
    }
    journal.record(connection, writer, ROLLBACK, outcome)
    journal.effect(connection, writer, "rollback", outcome)
    return outcome


def _exact(connection: psycopg.Connection, undo: Undo, resolved: Undoing) -> dict[str, bool]:
    """Table → whether each of the jobs that touched it still has its whole before-image."""
    found = before_images.whole(connection, undo.jobs)
    exact = {}
    for change in resolved.changes:
        of_table = [is_whole for (_job, table), is_whole in found.items() if table == change.extract.table]
        exact[change.extract.table] = bool(of_table) and all(of_table)
    return exact


def _refuse_other_than(expected: Expected | None, extract: Extract, found: Diff, exact: Mapping[str, bool]) -> None:
    if expected is None:
        return
    if expected.diffs.get(extract.table) != found:
        raise ChangedSincePreviewError(
            f"stg.{extract.table} has changed since the preview of this rollback. Nothing was changed;"
            " ask for it again to see what it would do now."
        )
    if expected.exact.get(extract.table, False) != exact[extract.table]:
        raise ChangedSincePreviewError(
            f"The before-image of stg.{extract.table} is not what it was at the preview of this rollback. Nothing was"
            " changed; ask for it again to see what can be given back now."
        )


def _restore(
    connection: psycopg.Connection, change: Change, space: Workspace, undo: Undo, resolved: Undoing, job_id: UUID
) -> int:
    """Rows that again hold what the before-image holds get its owner, load time and staging-only columns.

    Only rows that this rollback has written, or one of the jobs was the last to write (a job writes its rows and its
    journal at one time): what a later file has written since is left alone, also where it wrote the same values.
    """
    extract = change.extract
    columns = ["load_run_file_id", "load_ts", *(column.name for column in extract.staging_only)]
    return connection.execute(
        sql.SQL(
            "UPDATE {stg} s SET ({columns}) = ROW({images}) FROM restage.before_images b"
            " CROSS JOIN LATERAL jsonb_populate_record(NULL::{stg}, b.image) i"
            " WHERE b.job_id = {job} AND b.table_name = {table} AND b.image IS NOT NULL AND {same}"
            " AND ({kept}) IS NOT DISTINCT FROM ({was}) AND (s.load_run_file_id = ANY({withdrawn})"
            " OR s.load_ts IN (SELECT finished_at FROM restage.job_steps WHERE job_id = ANY({jobs}))"
            " OR EXISTS (SELECT FROM {diff} d WHERE {s_d} AND d.class IN ('inserted', 'updated')))"
        ).format(
            stg=names.staging(extract),
            columns=names.columns(columns),
            images=names.columns(columns, of="i"),
            job=sql.Literal(job_id),
            jobs=sql.Literal(list(undo.jobs)),
            table=sql.Literal(extract.table),
            same=names.same_key(extract, "s", "i"),
            kept=names.staged(extract, of="s"),
            was=names.staged(extract, of="i"),
            withdrawn=names.integers(resolved.withdrawn),
            diff=space.table(extract, "diff"),
            s_d=names.same_key(extract, "s", "d"),
        )
    ).rowcount


def _pass_back(connection: psycopg.Connection, change: Change, job_id: UUID) -> int:
    """Rows that the job passed on to another attempt as they were, and that nobody has written since, belong again to
    the attempt that counts again."""
    extract = change.extract
    return connection.execute(
        sql.SQL(
            "UPDATE {stg} s SET load_run_file_id = i.load_run_file_id FROM restage.before_images b"
            " CROSS JOIN LATERAL jsonb_populate_record(NULL::{stg}, b.image) i"
            " WHERE b.job_id = {job} AND b.table_name = {table} AND b.class = 'rewritten' AND {same}"
            " AND s.load_ts = i.load_ts AND s.load_run_file_id <> i.load_run_file_id"
            " AND i.load_run_file_id = ANY({revived})"
        ).format(
            stg=names.staging(extract),
            job=sql.Literal(job_id),
            table=sql.Literal(extract.table),
            same=names.same_key(extract, "s", "i"),
            revived=names.integers(change.revive),
        )
    ).rowcount
