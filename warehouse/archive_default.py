"""The default partitions of the archive tables, which ought to be empty: rows in one keep their month from being made.

Nothing of them is lost: they are found, restored and removed as any other. move() puts them into their months.
"""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from warehouse import archive_sets, archive_tables, names
from warehouse.registry import Extract, Registry


@dataclass(frozen=True)
class Stray:
    """Rows of a month (UTC, `start`) that lie in the default partition of a table."""

    table_name: str
    start: datetime
    rows: int


def stray(connection: psycopg.Connection, registry: Registry) -> list[Stray]:
    """Every month of which rows lie in a default partition."""
    return [found for extract in _filled(connection, registry) for found in _stray_of(connection, extract)]


def move(connection: psycopg.Connection, extract: Extract) -> int:
    """Put what lies in a table's default partition into months of their own; how many rows. Each month is one
    transaction, in which readers of the archive table wait."""
    moved = 0
    for found in _stray_of(connection, extract):
        with connection.transaction():
            moved += _move_month(connection, extract, found.start)
    return moved


def _stray_of(connection: psycopg.Connection, extract: Extract) -> list[Stray]:
    rows = connection.execute(
        sql.SQL("SELECT date_trunc('month', archived_at, 'UTC'), count(*) FROM {} GROUP BY 1 ORDER BY 1").format(
            archive_tables.default(extract)
        )
    ).fetchall()
    return [Stray(extract.table, start, number) for start, number in rows]


def _move_month(connection: psycopg.Connection, extract: Extract, start: datetime) -> int:
    """The rows leave the default partition, wait aside, and come back by way of the table."""
    table, default = archive_tables.table(extract), archive_tables.default(extract)
    columns = names.columns([column["name"] for column in archive_sets.columns_of(connection, table)])
    connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(table))
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE stray (LIKE {}) ON COMMIT DROP").format(table))
    moved = connection.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {} WHERE archived_at >= {} AND archived_at < {} RETURNING {columns})"
            " INSERT INTO pg_temp.stray ({columns}) SELECT {columns} FROM gone"
        ).format(default, sql.Literal(start), sql.Literal(archive_tables.following(start)), columns=columns)
    ).rowcount
    archive_tables.make_month(connection, extract, start)
    connection.execute(
        sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM pg_temp.stray").format(table, columns=columns)
    )
    connection.execute("DROP TABLE pg_temp.stray")
    return moved


def _filled(connection: psycopg.Connection, registry: Registry) -> list[Extract]:
    """The extracts whose default partition holds anything; one statement for those that are there."""
    there = {
        name
        for (name,) in connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'stg' AND c.relname LIKE '%\\_archive\\_default' AND pg_relation_size(c.oid) > 0"
        )
    }
    return [extract for extract in registry.extracts if f"{extract.table}_archive_default" in there]
