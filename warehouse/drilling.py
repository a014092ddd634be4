"""Restores a part of an archive set into a table aside, as a drill, and compares it with what the catalogue says."""

import random
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import archive_tables, hashes, names
from warehouse.build import Workspace
from warehouse.journal import Writer
from warehouse.registry import Extract

PART = "drilled"


@dataclass(frozen=True)
class DrilledPart:
    """A hot part, as the catalogue has it."""

    set_id: UUID
    table_name: str
    load_run_id: UUID
    archive_version: int
    archived_at: datetime
    rows: int
    checksum: Decimal
    columns: list[dict[str, Any]]


@dataclass(frozen=True)
class Found:
    """What came: rows, their checksum, and how many of them are not what their own hash says."""

    rows: int
    checksum: Decimal
    damaged: int
    part: DrilledPart

    @property
    def holds(self) -> bool:
        return self.rows == self.part.rows and self.checksum == self.part.checksum and not self.damaged

    def as_json(self) -> dict[str, Any]:
        return {
            "expected": {"rows": self.part.rows, "checksum": str(self.part.checksum)},
            "found": {"rows": self.rows, "checksum": str(self.checksum), "damaged": self.damaged},
        }


def any_part(connection: psycopg.Connection, chance: random.Random) -> DrilledPart | None:
    """A hot part that holds rows, by chance; None where there is none."""
    with connection.cursor(row_factory=class_row(DrilledPart)) as cursor:
        found = cursor.execute(
            "SELECT p.set_id, p.table_name, p.load_run_id, p.archive_version, p.archived_at, p.rows, p.checksum,"
            " p.columns FROM restage.archive_parts p JOIN restage.archive_sets s USING (set_id)"
            " WHERE s.removed_at IS NULL AND p.hot AND p.rows > 0 ORDER BY p.set_id, p.table_name"
        ).fetchall()
    return chance.choice(found) if found else None


def restore_aside(connection: psycopg.Connection, extract: Extract, part: DrilledPart, writer: Writer) -> Found:
    """Copy the rows of the part into restage_build and hash every one of them anew."""
    table = Workspace(writer.tag).table(extract, PART)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(
        sql.SQL(
            "CREATE UNLOGGED TABLE {table} AS SELECT {columns} FROM {archive} a WHERE a.archived_at = {at}"
            " AND a.archived_load_run_id = {run} AND a.archive_version = {version}"
        ).format(
            table=table,
            columns=names.columns([column["name"] for column in part.columns], of="a"),
            archive=archive_tables.table(extract),
            at=sql.Literal(part.archived_at),
            run=sql.Literal(part.load_run_id),
            version=sql.Literal(part.archive_version),
        )
    )
    beside = ["load_run_file_id", "load_ts", *(column.name for column in extract.staging_only)]
    rows, checksum, damaged = connection.execute(
        sql.SQL(
            "SELECT count(*), coalesce(sum({made}) + sum(hash_record_extended(ROW({beside}), 0)), 0),"
            " count(*) FILTER (WHERE s.row_hash <> {made}) FROM {table} s"
        ).format(made=hashes.of_row(extract, "s"), beside=names.columns(beside, of="s"), table=table)
    ).fetchone() or (0, Decimal(0), 0)
    return Found(rows, checksum, damaged, part)
