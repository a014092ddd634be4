"""What is archived, as the catalogue has it: sets, their parts, and where a part's rows are."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse.errors import TellableError


class NoSuchSetError(TellableError):
    """There is no archive set of that id."""


@dataclass(frozen=True)
class ArchiveSet:
    """What one load run owned at one moment. `removed_at`: its rows are gone, it stays listed."""

    set_id: UUID
    load_run_id: UUID
    kind: str
    reason: str
    job_id: UUID | None
    archived_by: str
    archived_at: datetime
    expires_at: datetime
    removed_at: datetime | None = None
    removed_by: str | None = None
    removed_why: str | None = None
    removed_job: UUID | None = None


@dataclass(frozen=True)
class Part:
    """A set's share of one table; restage.archive_parts says what each field means."""

    set_id: UUID
    table_name: str
    load_run_id: UUID
    archive_version: int
    archived_at: datetime
    rows: int
    loaded: int | None
    bytes: int
    checksum: Decimal
    columns: list[dict[str, Any]]
    fingerprint: str
    hashed: dict[str, list[str]]
    statistics: dict[str, dict[str, Any]]
    hot: bool
    cold: dict[str, Any] | None
    verified_at: datetime | None
    verified: dict[str, Any] | None

    @property
    def names(self) -> list[str]:
        """Its columns, in the order of staging as it was."""
        return [column["name"] for column in self.columns]


SET_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, ArchiveSet.__dataclass_fields__))
PART_COLUMNS = sql.SQL(", ").join(map(sql.Identifier, Part.__dataclass_fields__))


def of_id(connection: psycopg.Connection, set_id: UUID) -> ArchiveSet:
    """Raises NoSuchSetError."""
    with connection.cursor(row_factory=class_row(ArchiveSet)) as cursor:
        found = cursor.execute(
            sql.SQL("SELECT {} FROM restage.archive_sets WHERE set_id = %s").format(SET_COLUMNS), [set_id]
        ).fetchone()
    if found is None:
        raise NoSuchSetError(f"There is no archive set {set_id}.")
    return found


def of_run(connection: psycopg.Connection, load_run_id: UUID) -> list[ArchiveSet]:
    """The sets of a load run whose rows are there, the newest first."""
    with connection.cursor(row_factory=class_row(ArchiveSet)) as cursor:
        return cursor.execute(
            sql.SQL(
                "SELECT {} FROM restage.archive_sets WHERE load_run_id = %s AND removed_at IS NULL"
                " ORDER BY archived_at DESC, set_id"
            ).format(SET_COLUMNS),
            [load_run_id],
        ).fetchall()


def parts(connection: psycopg.Connection, sets: Iterable[UUID]) -> list[Part]:
    """The parts of these sets, by set and table."""
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(
            sql.SQL("SELECT {} FROM restage.archive_parts WHERE set_id = ANY(%s) ORDER BY set_id, table_name").format(
                PART_COLUMNS
            ),
            [list(sets)],
        ).fetchall()


def part(connection: psycopg.Connection, set_id: UUID, table: str) -> Part | None:
    """A set's share of one table; None where it has none."""
    return next((found for found in parts(connection, [set_id]) if found.table_name == table), None)


def hot_parts(connection: psycopg.Connection) -> list[Part]:
    """The parts whose rows lie in the archive tables, and are not none; by set and table."""
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(
            sql.SQL(
                "SELECT {} FROM restage.archive_parts p WHERE hot AND rows > 0 AND NOT EXISTS (SELECT FROM"
                " restage.archive_sets s WHERE s.set_id = p.set_id AND s.removed_at IS NOT NULL)"
                " ORDER BY set_id, table_name"
            ).format(PART_COLUMNS)
        ).fetchall()


def lies_in(part: Part) -> sql.Identifier:
    """The archive table of its rows while they are hot."""
    return sql.Identifier("stg", f"{part.table_name}_archive")


def of_part(part: Part, alias: str = "a") -> sql.Composed:
    """The condition that finds a part's rows in its archive table.

    Of coalesce() the planner expects half of the rows. Of three equalities, in a table that was not analyzed since, it
    expects none: parallel workers then hand every row to the session to be summed up, which takes twice as long.
    """
    return sql.SQL(
        "{a}.archived_at = {at}"
        " AND coalesce({a}.archived_load_run_id = {run} AND {a}.archive_version = {version}, false)"
    ).format(
        a=sql.Identifier(alias),
        at=sql.Literal(part.archived_at),
        run=sql.Literal(part.load_run_id),
        version=sql.Literal(part.archive_version),
    )


def rows_of(part: Part) -> sql.Composed:
    """SELECT the hot rows of a part, with the columns of staging as it was and in its order."""
    columns = sql.SQL(", ").join(sql.Identifier("a", name) for name in part.names)
    return sql.SQL("SELECT {} FROM {} a WHERE {}").format(columns, lies_in(part), of_part(part))


def fingerprint(columns: list[dict[str, Any]]) -> str:
    """SHA-256 over name, type and NOT NULL of the columns, in their order."""
    said = [[column["name"], column["type"], column["not_null"]] for column in columns]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def columns_of(connection: psycopg.Connection, table: sql.Identifier) -> list[dict[str, Any]]:
    """The columns of a table as they are now: name, type, not_null, in their order."""
    found = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table.as_string(connection)],
    ).fetchall()
    return [{"name": name, "type": kind, "not_null": not_null} for name, kind, not_null in found]
