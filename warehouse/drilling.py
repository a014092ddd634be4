"""Restores a part of an archive set into a table aside, as a drill, and compares it with what the catalogue says."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from warehouse import archive_proof, archive_sets, cold_verification, cooling, single
from warehouse.archive_sets import Part
from warehouse.build import Workspace
from warehouse.cold_sealing import Tier
from warehouse.journal import Writer
from warehouse.progress import Told
from warehouse.registry import Extract

PART = "drilled"


@dataclass(frozen=True)
class Found:
    """What came: rows, their checksum with every hash made anew, and how many rows are not what their hash says."""

    rows: int
    checksum: Decimal
    damaged: int
    part: Part

    @property
    def holds(self) -> bool:
        return self.rows == self.part.rows and self.checksum == self.part.checksum and not self.damaged

    def as_json(self) -> dict[str, Any]:
        return {
            "expected": {"rows": self.part.rows, "checksum": str(self.part.checksum)},
            "found": {"rows": self.rows, "checksum": str(self.checksum), "damaged": self.damaged},
        }


def any_part(connection: psycopg.Connection, seed: int) -> Part | None:
    """One of the hot parts that hold rows; None where there is none."""
    found = archive_sets.hot_parts(connection)
    return found[seed % len(found)] if found else None


def any_cold_part(connection: psycopg.Connection, seed: int) -> Part | None:
    """One of the parts that lie in sealed files and hold rows; None where there is none."""
    found = sorted(cold_verification.cold_parts(connection), key=lambda part: (part.set_id, part.table_name))
    with_rows = [part for part in found if part.rows]
    return with_rows[seed % len(with_rows)] if with_rows else None


def restore_aside(connection: psycopg.Connection, extract: Extract, part: Part, writer: Writer) -> Found:
    """Copy the rows of the part into restage_build and hash every one of them anew."""
    table = Workspace(writer.tag).table(extract, PART)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} AS {}").format(table, archive_sets.rows_of(part)))
    return _compare(connection, extract, part, table)


def bring_aside(
    connection: psycopg.Connection, extract: Extract, part: Part, writer: Writer, tier: Tier, told: Told
) -> Found:
    """Read the files of the part into restage_build and hash every row anew.

    Raises DamagedError, ManifestError, StoreError, UnreachableStoreError.
    """
    table = Workspace(writer.tag).table(extract, PART)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    cooling.bring(connection, tier, part, into=table, told=told)
    return _compare(connection, extract, part, table)


def _compare(connection: psycopg.Connection, extract: Extract, part: Part, table: sql.Identifier) -> Found:
    of = archive_proof.of_part(part, extract)
    rows, checksum, damaged = single.row(
        connection,
        sql.SQL("SELECT count(*), {checksum}, count(*) FILTER (WHERE a.row_hash <> {made}) FROM {table} a").format(
            checksum=archive_proof.checksum_anew(of, "a"), made=archive_proof.made(of, "a"), table=table
        ),
    )
    return Found(rows, checksum, damaged, part)
