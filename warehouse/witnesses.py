"""What a table of staging held at an exact position of the write-ahead log: what a drill of recovery is compared with.

A witness is a count, an order-free checksum and the hashes of some rows; no values. The table is locked against
writers for the moment in which position and snapshot are taken, and read after that.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse import names, single
from warehouse.registry import Extract, Registry

SAMPLE_ROWS = 20
KEPT_DAYS = 35
TABLE = """witness_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, table_name text NOT NULL,
        at timestamptz NOT NULL, lsn pg_lsn NOT NULL, rows bigint NOT NULL, checksum numeric NOT NULL,
        sample jsonb NOT NULL"""


@dataclass(frozen=True)
class Seen:
    """What was found of some rows: how many, their checksum, and hash of key → hash of row of some of them."""

    rows: int
    checksum: Decimal
    sample: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "checksum": str(self.checksum), "sampled": len(self.sample)}


@dataclass(frozen=True)
class Witness:
    table_name: str
    at: datetime
    lsn: str
    rows: int
    checksum: Decimal
    sample: dict[str, str]

    @property
    def seen(self) -> Seen:
        return Seen(self.rows, self.checksum, self.sample)


def take(connection: psycopg.Connection, other: psycopg.Connection, extract: Extract) -> Witness:
    """Note what a table holds now; needs two autocommit connections. Raises psycopg.errors.LockNotAvailable where the
    table is being written."""
    with other.transaction():
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL lock_timeout = '2s'")
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(names.staging(extract)))
            snapshot, at, lsn = single.row(
                connection, "SELECT pg_export_snapshot(), clock_timestamp(), pg_current_wal_insert_lsn()::text"
            )
            other.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
            other.execute("SELECT 1")
        found = see(other, extract, names.staging(extract))
    connection.execute(
        "INSERT INTO restage.witnesses (table_name, at, lsn, rows, checksum, sample) VALUES (%s, %s, %s, %s, %s, %s)",
        [extract.table, at, lsn, found.rows, found.checksum, Jsonb(found.sample)],
    )
    connection.execute("DELETE FROM restage.witnesses WHERE at < now() - %s * interval '1 day'", [KEPT_DAYS])
    return Witness(extract.table, at, lsn, found.rows, found.checksum, found.sample)


def see(connection: psycopg.Connection, extract: Extract, table: sql.Identifier) -> Seen:
    """Count and hash the rows of a table with the columns of staging, from their values. The sample are those whose
    hashed keys are least: the same ones wherever the rows are the same."""
    columns = [*(c.name for c in (*extract.staged, *extract.staging_only)), "load_run_file_id", "load_ts"]
    parts = {
        "row": sql.SQL("hash_record_extended(ROW({}), 0)").format(names.columns(columns, of="s")),
        "key": sql.SQL("hash_record_extended(ROW({}), 0)").format(names.key(extract, of="s")),
        "table": table,
        "most": sql.Literal(SAMPLE_ROWS),
    }
    rows, checksum = connection.execute(
        sql.SQL("SELECT count(*), coalesce(sum({row}), 0)::numeric FROM {table} s").format(**parts)
    ).fetchone() or (0, Decimal(0))
    sample = connection.execute(
        sql.SQL("SELECT {key}::text, {row}::text FROM {table} s ORDER BY {key}, {row} LIMIT {most}").format(**parts)
    ).fetchall()
    return Seen(rows, checksum, dict(sample))


def choose(connection: psycopg.Connection, *, since: datetime, until: datetime, seed: int) -> Witness | None:
    """Any one of those between two moments; None where there is none."""
    with connection.cursor(row_factory=class_row(Witness)) as cursor:
        found = cursor.execute(
            "SELECT table_name, at, lsn::text AS lsn, rows, checksum, sample FROM restage.witnesses"
            " WHERE at BETWEEN %s AND %s ORDER BY witness_id",
            [since, until],
        ).fetchall()
    return found[seed % len(found)] if found else None


def with_rows(connection: psycopg.Connection, registry: Registry) -> list[str]:
    """The tables of staging that hold any row."""
    found = []
    for extract in registry.extracts:
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(names.staging(extract))
        if (connection.execute(query).fetchone() or (False,))[0]:
            found.append(extract.table)
    return found
