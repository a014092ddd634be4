"""Archiving as a job carries it out: one transaction, in the journal, callable again after any death."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from warehouse import archive_sets, archive_tables, archiving, journal
from warehouse.errors import PassingError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.registry import Registry

ARCHIVED = "archive"


class ArchivedMeanwhileError(PassingError):
    """Another archive of the same rows was made at the same moment. Nothing was archived; it is tried again."""


def execute(
    connection: psycopg.Connection,
    registry: Registry,
    writer: Writer,
    *,
    load_run_id: UUID,
    tables: Sequence[str],
    reason: str,
    expires_at: datetime,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Archive what the run owns, every table as of one moment; the outcome, also when it had been done before.

    Needs an autocommit connection. Raises CannotArchiveError, ArchivedMeanwhileError, LostFenceError: nothing was
    archived.
    """
    journal.raise_fence(connection, writer)
    outcome = journal.done(connection, writer.job_id, ARCHIVED)
    if outcome is not None:
        return outcome
    make_months(connection, registry, tables, now)
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            journal.hold_fence(connection, writer)
            made = archiving.archive(
                connection, registry, load_run_id, tables, reason=reason, expires_at=expires_at, writer=writer, now=now
            )
            outcome = _outcome(connection, made)
            journal.record(connection, writer, ARCHIVED, outcome)
            journal.effect(connection, writer, "archive", outcome)
            failpoint("archiving")
    except psycopg.errors.UniqueViolation as error:
        raise ArchivedMeanwhileError(
            "Another archive of the same run was made at the same moment. Nothing was archived; it is tried again."
        ) from error
    failpoint("archived")
    return outcome


def make_months(
    connection: psycopg.Connection, registry: Registry, tables: Iterable[str], now: datetime | None = None
) -> None:
    """Make the month of `now` (None: the server's time) of these archive tables. Apart from the copy: a month is made
    under a lock that keeps every reader of the archive table off."""
    for table in tables:
        try:
            with connection.transaction():
                (moment,) = connection.execute("SELECT now()").fetchone() or (now,)
                archive_tables.make_month(connection, registry.of_table(table), now or moment)
        except psycopg.errors.CheckViolation:
            continue  # archiving.archive() writes to the default partition then


def _outcome(connection: psycopg.Connection, made: archive_sets.ArchiveSet) -> dict[str, Any]:
    parts = archive_sets.parts(connection, [made.set_id])
    return {
        "set": str(made.set_id),
        "archived_at": made.archived_at.isoformat(),
        "expires_at": made.expires_at.isoformat(),
        "rows": sum(part.rows for part in parts),
        "tables": {
            part.table_name: {
                "rows": part.rows,
                "loaded": part.loaded,
                "version": part.archive_version,
                "bytes": part.bytes,
            }
            for part in parts
        },
    }
