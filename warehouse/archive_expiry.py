"""When a set expires, and every change of that: later at once, sooner only by a job that somebody else has approved."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse import archive_holds, archive_retention, journal
from warehouse.archive_holds import demand_there
from warehouse.archive_sets import ArchiveSet
from warehouse.errors import TellableError
from warehouse.journal import Writer

CUT = "cut retention"


class CutError(TellableError):
    """The set would be kept for a shorter time than may be. Nothing was changed."""


@dataclass(frozen=True)
class Expiry:
    """One change of a set's expiry."""

    expires_at: datetime
    former: datetime
    why: str
    set_by: str
    set_at: datetime


def history(connection: psycopg.Connection, set_id: UUID) -> list[Expiry]:
    """The newest first."""
    with connection.cursor(row_factory=class_row(Expiry)) as cursor:
        return cursor.execute(
            "SELECT expires_at, former, why, set_by, set_at FROM restage.archive_expiries WHERE set_id = %s"
            " ORDER BY expiry_id DESC",
            [set_id],
        ).fetchall()


def earliest(found: ArchiveSet) -> datetime:
    """Sooner than this no set expires, whoever wants it."""
    return found.archived_at + timedelta(days=archive_retention.LEAST_DAYS)


def extend(connection: psycopg.Connection, set_id: UUID, *, expires_at: datetime, why: str, actor: str) -> None:
    """Raises NoSuchSetError, RemovedError, CutError."""
    with connection.transaction():
        found = archive_holds.lock(connection, set_id)
        demand_there(found)
        if expires_at < found.expires_at:
            raise CutError("That is sooner than the set expires now: a cut of retention is a job of its own.")
        change(connection, found, expires_at, why, actor)
        connection.execute(
            "INSERT INTO restage.effects (action, actor, detail) VALUES ('extend retention', %s, %s)",
            [actor, Jsonb(_said(found, expires_at))],
        )


def cut(
    connection: psycopg.Connection, writer: Writer, set_id: UUID, *, expires_at: datetime, why: str
) -> dict[str, Any]:
    """As a job: let a set expire sooner; the outcome, also when it had been done before.

    Raises NoSuchSetError, RemovedError, CutError, LostFenceError.
    """
    journal.raise_fence(connection, writer)
    outcome = journal.done(connection, writer.job_id, CUT)
    if outcome is not None:
        return outcome
    with connection.transaction():
        journal.hold_fence(connection, writer)
        found = archive_holds.lock(connection, set_id)
        demand_there(found)
        demand_least(found, expires_at)
        change(connection, found, expires_at, why, writer.actor)
        outcome = {**_said(found, expires_at), "tables": _tables(connection, set_id)}
        journal.record(connection, writer, CUT, outcome)
        journal.effect(connection, writer, CUT, outcome)
    return outcome


def _tables(connection: psycopg.Connection, set_id: UUID) -> dict[str, dict[str, int]]:
    found = connection.execute(
        "SELECT table_name, rows FROM restage.archive_parts WHERE set_id = %s ORDER BY table_name", [set_id]
    )
    return {table: {"rows": rows} for table, rows in found}


def demand_least(found: ArchiveSet, expires_at: datetime) -> None:
    """Raises CutError."""
    if expires_at < earliest(found):
        raise CutError(
            f"Every archive is kept for {archive_retention.LEAST_DAYS:,} days at least, this one until"
            f" {earliest(found):%Y-%m-%d %Z}. Nothing was changed."
        )


def _said(found: ArchiveSet, expires_at: datetime) -> dict[str, str]:
    return {
        "set": str(found.set_id),
        "former": found.expires_at.isoformat(),
        "expires_at": expires_at.isoformat(),
    }


def change(connection: psycopg.Connection, found: ArchiveSet, expires_at: datetime, why: str, actor: str) -> None:
    """Inside a transaction that holds the lock of the set: let it expire then, and note it."""
    connection.execute(
        "INSERT INTO restage.archive_expiries (set_id, expires_at, former, why, set_by, set_at)"
        " VALUES (%s, %s, %s, %s, %s, now())",
        [found.set_id, expires_at, found.expires_at, why, actor],
    )
    connection.execute("UPDATE restage.archive_sets SET expires_at = %s WHERE set_id = %s", [expires_at, found.set_id])
