"""Restores a part of an archive set into a table aside, as a drill, and compares it with what the catalogue says."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from warehouse import archive_proof, archive_sets, single
from warehouse.archive_sets import Part
from warehouse.build import Workspace
from warehouse.journal import Writer
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


def restore_aside(connection: psycopg.Connection, extract: Extract, part: Part, writer: Writer) -> Found:
    """Copy the rows of the part into restage_build and hash every one of them anew."""
    table, of = Workspace(writer.tag).table(extract, PART), archive_proof.of_part(part, extract)
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} AS {}").format(table, archive_sets.rows_of(part)))
    rows, checksum, damaged = single.row(
        connection,
        sql.SQL("SELECT count(*), {checksum}, count(*) FILTER (WHERE a.row_hash <> {made}) FROM {table} a").format(
            checksum=archive_proof.checksum_anew(of, "a"), made=archive_proof.made(of, "a"), table=table
        ),
    )
    return Found(rows, checksum, damaged, part)
