"""The parts of archive sets as a restore reads them: what the catalogue says of each, and the query of its rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import archive_tables, names
from warehouse.errors import TellableError
from warehouse.registry import Extract


class NoSuchSetError(TellableError):
    """There is no such set, or nothing to be had from it; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Part:
    """What one load run owned in one table at `archived_at`. `columns`: staging as it was, {name, type, not_null}."""

    set_id: UUID
    kind: str
    reason: str
    load_run_id: UUID
    table_name: str
    archive_version: int
    archived_at: datetime
    archived_by: str
    expires_at: datetime
    rows: int
    checksum: Decimal
    columns: list[dict[str, Any]]
    hot: bool
    cold: dict[str, Any] | None


@dataclass(frozen=True)
class Source:
    """The rows of a part. `columns`: name → type of each column that the query `rows` gives."""

    columns: dict[str, str]
    rows: sql.Composable


_PARTS = """SELECT s.set_id, s.kind, s.reason, s.load_run_id, p.table_name, p.archive_version, p.archived_at,
    s.archived_by, s.expires_at, p.rows, p.checksum, p.columns, p.hot, p.cold
    FROM restage.archive_parts p JOIN restage.archive_sets s USING (set_id) WHERE s.removed_at IS NULL"""


def of_set(connection: psycopg.Connection, set_id: UUID, tables: Sequence[str] = ()) -> list[Part]:
    """The parts of a set, of these tables only (none: all). Raises NoSuchSetError."""
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        found = cursor.execute(f"{_PARTS} AND s.set_id = %s ORDER BY p.table_name", [set_id]).fetchall()
    if not found:
        raise NoSuchSetError(f"There is no archive set {set_id}, or it has been removed. Nothing was changed.")
    if unknown := [table for table in tables if table not in {part.table_name for part in found}]:
        known = ", ".join(part.table_name for part in found)
        raise NoSuchSetError(f"The set holds nothing of {', '.join(unknown)}; it holds {known}. Nothing was changed.")
    return [part for part in found if not tables or part.table_name in tables]


def newest(connection: psycopg.Connection, load_run_id: UUID, table: str = "") -> UUID:
    """The newest set that was archived of this load run (and has this table). Raises NoSuchSetError."""
    found = connection.execute(
        "SELECT s.set_id FROM restage.archive_parts p JOIN restage.archive_sets s USING (set_id)"
        " WHERE s.removed_at IS NULL AND s.kind = 'archive' AND s.load_run_id = %s AND (%s = '' OR p.table_name = %s)"
        " ORDER BY s.archived_at DESC, p.archive_version DESC LIMIT 1",
        [load_run_id, table, table],
    ).fetchone()
    if found is None:
        of_table = f" with stg.{table}" if table else ""
        raise NoSuchSetError(f"There is no archive set of load run {load_run_id}{of_table}. Nothing was changed.")
    return UUID(str(found[0]))


def listed(connection: psycopg.Connection, load_run_id: UUID | None, table: str, most: int) -> list[Part]:
    """The parts that can be restored, newest first: of a load run (None: of any), of a table ("": of any)."""
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(
            f"{_PARTS} AND (%(run)s::uuid IS NULL OR s.load_run_id = %(run)s)"
            " AND (%(table)s = '' OR p.table_name = %(table)s)"
            " ORDER BY p.archived_at DESC, s.set_id, p.table_name LIMIT %(most)s",
            {"run": load_run_id, "table": table, "most": most},
        ).fetchall()


def source(connection: psycopg.Connection, extract: Extract, part: Part) -> Source:
    """The rows of a part. Raises NoSuchSetError where they are in no table."""
    if not part.hot:
        raise NoSuchSetError(
            f"The rows of stg.{part.table_name} lie in the cold tier only. Bring the set back into the archive table"
            " first. Nothing was changed."
        )
    there = columns_of(connection, archive_tables.table(extract))
    chosen = [column["name"] for column in part.columns if column["name"] in there]
    if lost := [column["name"] for column in part.columns if column["name"] not in there and _is_kept(column, extract)]:
        raise NoSuchSetError(
            f"The archive table of stg.{part.table_name} has lost {', '.join(lost)}, which the set had. Nothing was"
            " changed."
        )
    rows = sql.SQL(
        "SELECT {columns} FROM {archive} WHERE archived_at = {at} AND archived_load_run_id = {run}"
        " AND archive_version = {version}"
    ).format(
        columns=names.columns(chosen),
        archive=archive_tables.table(extract),
        at=sql.Literal(part.archived_at),
        run=sql.Literal(part.load_run_id),
        version=sql.Literal(part.archive_version),
    )
    return Source({name: there[name] for name in chosen}, rows)


def _is_kept(column: dict[str, Any], extract: Extract) -> bool:
    """Whether an archive table has such a column: not one that staging has and nothing declares."""
    declared = {c.name for c in (*extract.staged, *extract.staging_only)}
    return column["name"] in declared | {"load_run_file_id", "load_ts"}


def columns_of(connection: psycopg.Connection, table: sql.Identifier) -> dict[str, str]:
    """The columns of a table in their order, each with its type."""
    return dict(
        connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [table.as_string(connection)],
        ).fetchall()
    )


def use(connection: psycopg.Connection, set_id: UUID, job_id: UUID) -> None:
    """Keep the set from being removed until unuse(), or until the job is over. Raises NoSuchSetError."""
    with connection.transaction():
        found = connection.execute(
            "SELECT removed_at FROM restage.archive_sets WHERE set_id = %s FOR KEY SHARE", [set_id]
        ).fetchone()
        if found is None or found[0] is not None:
            raise NoSuchSetError(f"The archive set {set_id} has been removed. Nothing was changed.")
        connection.execute(
            "INSERT INTO restage.archive_uses (set_id, job_id) VALUES (%s, %s) ON CONFLICT DO NOTHING", [set_id, job_id]
        )


def unuse(connection: psycopg.Connection, job_id: UUID) -> None:
    connection.execute("DELETE FROM restage.archive_uses WHERE job_id = %s", [job_id])


def using(connection: psycopg.Connection) -> set[UUID]:
    """The jobs that have sets in use."""
    return {job for (job,) in connection.execute("SELECT DISTINCT job_id FROM restage.archive_uses").fetchall()}
