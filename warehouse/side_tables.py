"""Tables beside staging into which rows are restored or recovered: named by Restage, dropped on their day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import single
from warehouse.journal import Writer, tag_of
from warehouse.registry import Extract

SCHEMA = "restage_side"
KEPT_FOR = timedelta(days=7)
TABLE = """name text PRIMARY KEY, table_name text NOT NULL, job_id uuid NOT NULL, set_id uuid,
        rows bigint NOT NULL, made_at timestamptz NOT NULL DEFAULT now(), expires_at timestamptz NOT NULL,
        dropped_at timestamptz"""


@dataclass(frozen=True)
class SideTable:
    """One that is there, or was; `name` is without its schema."""

    name: str
    table_name: str
    job_id: UUID
    set_id: UUID | None
    rows: int
    made_at: datetime
    expires_at: datetime
    dropped_at: datetime | None


def name_of(extract: Extract, job_id: UUID) -> str:
    return f"{extract.table}_{tag_of(job_id)}"


def make(
    connection: psycopg.Connection,
    extract: Extract,
    rows: sql.Composable,
    writer: Writer,
    *,
    set_id: UUID | None = None,
) -> SideTable:
    """Inside the job's transaction: put what `rows` gives beside staging. `set_id`: of which archive set they are."""
    name = name_of(extract, writer.job_id)
    made = connection.execute(sql.SQL("CREATE TABLE {} AS {}").format(sql.Identifier(SCHEMA, name), rows)).rowcount
    entered = single.row(
        connection,
        "INSERT INTO restage.side_tables (name, table_name, job_id, set_id, rows, expires_at)"
        " VALUES (%s, %s, %s, %s, %s, now() + %s)"
        " RETURNING name, table_name, job_id, set_id, rows, made_at, expires_at, dropped_at",
        [name, extract.table, writer.job_id, set_id, made, KEPT_FOR],
    )
    return SideTable(*entered)


def of_jobs(connection: psycopg.Connection, jobs: Iterable[UUID]) -> list[SideTable]:
    with connection.cursor(row_factory=class_row(SideTable)) as cursor:
        return cursor.execute(f"{_LISTED} WHERE job_id = ANY(%s) ORDER BY name", [list(jobs)]).fetchall()


def standing(connection: psycopg.Connection) -> list[SideTable]:
    """Those that are there, the one that goes first at the top."""
    with connection.cursor(row_factory=class_row(SideTable)) as cursor:
        return cursor.execute(f"{_LISTED} WHERE dropped_at IS NULL ORDER BY expires_at, name").fetchall()


def drop_expired(connection: psycopg.Connection, now: datetime) -> list[str]:
    """Drop the tables whose day has come, each in a transaction of its own; their names. One that somebody reads is
    left for the next time."""
    due = [side for side in standing(connection) if side.expires_at <= now]
    return [side.name for side in due if _drop(connection, side, now)]


def _drop(connection: psycopg.Connection, side: SideTable, now: datetime) -> bool:
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '1s'")
            connection.execute(
                "UPDATE restage.side_tables SET dropped_at = %s WHERE name = %s AND dropped_at IS NULL",
                [now, side.name],
            )
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(SCHEMA, side.name)))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


_LISTED = "SELECT name, table_name, job_id, set_id, rows, made_at, expires_at, dropped_at FROM restage.side_tables"
