"""Legal holds on archive sets, and the uses of jobs that read them: while either stands, nothing removes the set.

Both lock the set's row, and so does a removal (`FOR UPDATE`): the two can never both succeed.
"""

from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse.archive_sets import SET_COLUMNS, ArchiveSet, NoSuchSetError
from warehouse.errors import TellableError
from warehouse.holds import Holds


class RemovedError(TellableError):
    """The set's rows are gone: nothing can hold or use them. Nothing was changed."""


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
            f"Archive set {found.set_id} was removed on {found.removed_at:%Y-%m-%d %Z}: its rows are gone."
            " Nothing was changed."
        )


def _demand(connection: psycopg.Connection, set_id: UUID) -> None:
    """Raises NoSuchSetError, RemovedError."""
    demand_there(lock(connection, set_id))


HOLDS = Holds("archive_holds", "set_id", lock, _demand, lambda set_id: (None, {"set": str(set_id)}))
