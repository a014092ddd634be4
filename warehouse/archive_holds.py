"""Legal holds on archive sets, and the uses of jobs that read them: while either stands, nothing removes the set.

Both lock the set's row, and so does a removal (`FOR UPDATE`): the two can never both succeed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse.archive_sets import SET_COLUMNS, ArchiveSet, NoSuchSetError
from warehouse.errors import TellableError


class RemovedError(TellableError):
    """The set's rows are gone: nothing can hold or use them. Nothing was changed."""


class NoSuchHoldError(TellableError):
    """There is no such hold that stands. Nothing was changed."""


@dataclass(frozen=True)
class Hold:
    hold_id: int
    set_id: UUID
    reason: str
    placed_by: str
    placed_at: datetime
    released_at: datetime | None
    released_by: str | None
    released_why: str | None


def lock(connection: psycopg.Connection, set_id: UUID) -> ArchiveSet:
    """Inside a transaction: keep every other hold, use and removal of the set off until it ends. Raises
    NoSuchSetError."""
    with connection.cursor(row_factory=class_row(ArchiveSet)) as cursor:
        found = cursor.execute(
            sql.SQL("SELECT {} FROM restage.archive_sets WHERE set_id = %s FOR UPDATE").format(SET_COLUMNS), [set_id]
        ).fetchone()
    if found is None:
        raise NoSuchSetError(f"There is no archive set {set_id}.")
    return found


def place(connection: psycopg.Connection, set_id: UUID, *, reason: str, actor: str) -> int:
    """Hold a set; the hold's number. Raises NoSuchSetError, RemovedError."""
    with connection.transaction():
        demand_there(lock(connection, set_id))
        (hold,) = connection.execute(
            "INSERT INTO restage.archive_holds (set_id, reason, placed_by) VALUES (%s, %s, %s) RETURNING hold_id",
            [set_id, reason, actor],
        ).fetchone() or (0,)
        _effect(connection, "place hold", actor, {"set": str(set_id), "hold": hold, "reason": reason})
    return int(hold)


def release(connection: psycopg.Connection, set_id: UUID, hold_id: int, *, why: str, actor: str) -> None:
    """Raises NoSuchSetError, NoSuchHoldError."""
    with connection.transaction():
        lock(connection, set_id)
        released = connection.execute(
            "UPDATE restage.archive_holds SET released_at = now(), released_by = %s, released_why = %s"
            " WHERE hold_id = %s AND set_id = %s AND released_at IS NULL",
            [actor, why, hold_id, set_id],
        ).rowcount
        if not released:
            raise NoSuchHoldError("This hold does not stand any more. Nothing was changed.")
        _effect(connection, "release hold", actor, {"set": str(set_id), "hold": hold_id, "why": why})


def use(connection: psycopg.Connection, set_id: UUID, job_id: UUID) -> ArchiveSet:
    """Inside a transaction: note that a job reads the set until disuse(). Raises NoSuchSetError, RemovedError."""
    found = lock(connection, set_id)
    demand_there(found)
    connection.execute(
        "INSERT INTO restage.archive_uses (set_id, job_id) VALUES (%s, %s) ON CONFLICT DO NOTHING", [set_id, job_id]
    )
    return found


def disuse(connection: psycopg.Connection, job_id: UUID) -> None:
    connection.execute("DELETE FROM restage.archive_uses WHERE job_id = %s", [job_id])


def of_set(connection: psycopg.Connection, set_id: UUID) -> list[Hold]:
    """All holds of a set, those that stand first."""
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        return cursor.execute(
            "SELECT hold_id, set_id, reason, placed_by, placed_at, released_at, released_by, released_why"
            " FROM restage.archive_holds WHERE set_id = %s ORDER BY released_at DESC NULLS FIRST, hold_id",
            [set_id],
        ).fetchall()


def using(connection: psycopg.Connection) -> set[UUID]:
    """The jobs that read sets."""
    return {job for (job,) in connection.execute("SELECT DISTINCT job_id FROM restage.archive_uses").fetchall()}


def users(connection: psycopg.Connection, set_id: UUID) -> list[UUID]:
    """The jobs that read the set now."""
    found = connection.execute("SELECT job_id FROM restage.archive_uses WHERE set_id = %s ORDER BY since", [set_id])
    return [job for (job,) in found]


def demand_there(found: ArchiveSet) -> None:
    """Raises RemovedError."""
    if found.removed_at is not None:
        raise RemovedError(
            f"Archive set {found.set_id} was removed on {found.removed_at:%Y-%m-%d}: its rows are gone."
            " Nothing was changed."
        )


def _effect(connection: psycopg.Connection, action: str, actor: str, detail: dict[str, Any]) -> None:
    connection.execute(
        "INSERT INTO restage.effects (action, actor, detail) VALUES (%s, %s, %s)", [action, actor, Jsonb(detail)]
    )
