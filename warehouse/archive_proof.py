"""Whether archived rows are what was archived: an order-free checksum over all of their values, and how it is made.

Of each row there are two hashes of 64 bits: of the columns that files feed (the row's own hash), and of the rest beside
them. The checksum of a part is their sum over its rows, exact whatever the order. Which columns each one covers, and in
which order, is kept with the part: a later declaration changes nothing about a part that is there.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import archive_sets, hashes
from warehouse.archive_sets import Part
from warehouse.registry import Extract

BESIDE = ("load_run_file_id", "load_ts")
Hashed = Mapping[str, list[str]]


def hashed(extract: Extract, columns: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Which columns the two hashes of a row cover: `row`, `beside`, and of these, `as_text`, what nobody declared;
    `signed` are the numeric ones among them, whose sign is hashed too."""
    there = {column["name"] for column in columns}
    row = [column.name for column in extract.staged if column.name in there]
    only = [column.name for column in extract.staging_only if column.name in there]
    others = [column["name"] for column in columns if column["name"] not in {hashes.COLUMN, *row, *only, *BESIDE}]
    signed = [c.name for c in (*extract.staged, *extract.staging_only) if c.type.startswith("numeric")]
    return {"row": row, "beside": [*BESIDE, *only], "as_text": others, "signed": signed}


def made(of: Hashed, alias: str) -> sql.Composed:
    """The row's own hash, made from its values."""
    return hashes.over(_types(of["row"], of), alias)


def beside(of: Hashed, alias: str) -> sql.Composed:
    texts = [sql.SQL("{}::text").format(sql.Identifier(alias, name)) for name in of["as_text"]]
    return hashes.over(_types(of["beside"], of), alias, texts)


def _types(names: list[str], of: Hashed) -> dict[str, str]:
    """As hashes.over() takes them: of a type it only needs to know whether it has a sign."""
    return {name: "numeric" if name in of["signed"] else "" for name in names}


def checksum(of: Hashed, alias: str) -> sql.Composed:
    """Over the kept hashes: an aggregate. sum() of bigint is exact in numeric."""
    return sql.SQL("coalesce(sum({}) + sum({}), 0)").format(sql.Identifier(alias, hashes.COLUMN), beside(of, alias))


def checksum_anew(of: Hashed, alias: str) -> sql.Composed:
    """The same with every hash made from the values."""
    return sql.SQL("coalesce(sum({}) + sum({}), 0)").format(made(of, alias), beside(of, alias))


def of_part(part: Part, extract: Extract) -> Hashed:
    """How the checksum of a part was made; a part that does not say it: as the extract is declared now."""
    return part.hashed or hashed(extract, part.columns)


@dataclass(frozen=True)
class Proof:
    """A part's hot rows compared with the catalogue, each point for itself; the columns that are gone or retyped."""

    rows: int
    rows_hold: bool
    checksum_holds: bool
    hashes_hold: bool
    columns: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.rows_hold and self.checksum_holds and self.hashes_hold and not self.columns

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "columns": list(self.columns), "holds": self.holds}


def prove(connection: psycopg.Connection, part: Part, extract: Extract) -> Proof:
    """Read every hot row of the part and make its hashes anew."""
    if changed := _changed(connection, part):
        return Proof(0, False, False, False, changed)
    of = of_part(part, extract)
    rows, kept, anew, stale = connection.execute(
        sql.SQL(
            "SELECT count(*), {kept}, {anew}, count(*) FILTER (WHERE a.row_hash IS DISTINCT FROM {made})"
            " FROM {table} a WHERE {of_part}"
        ).format(
            kept=checksum(of, "a"),
            anew=checksum_anew(of, "a"),
            made=made(of, "a"),
            table=archive_sets.lies_in(part),
            of_part=archive_sets.of_part(part),
        )
    ).fetchone() or (0, Decimal(0), Decimal(0), 0)
    return Proof(rows, rows == part.rows, anew == part.checksum == kept, stale == 0)


def verify(connection: psycopg.Connection, part: Part, extract: Extract) -> Proof:
    """Prove the part and keep the result in the catalogue."""
    found = prove(connection, part, extract)
    connection.execute(
        "UPDATE restage.archive_parts SET verified_at = clock_timestamp(), verified = coalesce(verified, '{}') || %s"
        " WHERE set_id = %s AND table_name = %s",
        [Jsonb({"hot": found.as_json()}), part.set_id, part.table_name],
    )
    return found


def _changed(connection: psycopg.Connection, part: Part) -> tuple[str, ...]:
    there = {c["name"]: c["type"] for c in archive_sets.columns_of(connection, archive_sets.lies_in(part))}
    return tuple(column["name"] for column in part.columns if there.get(column["name"]) != column["type"])
