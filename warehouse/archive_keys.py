"""In which archives is a natural key? Through the statistics of the parts first, then among the rows of those left."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import archive_tables
from warehouse.archive_sets import PART_COLUMNS, Part
from warehouse.errors import TellableError
from warehouse.registry import Column, Extract


class NotAKeyError(TellableError):
    """What was given cannot be a natural key of the table; the message names the column, never the value."""


@dataclass(frozen=True)
class Holding:
    """A part that holds the key; `certain` is False where only its statistics could be asked (its rows are cold)."""

    set_id: UUID
    certain: bool


def find(connection: psycopg.Connection, extract: Extract, key: Mapping[str, str]) -> list[Holding]:
    """The parts that hold this key, the newest first. Raises NotAKeyError."""
    columns = [column for column in extract.staged if column.name in extract.natural_key]
    _demand_values(connection, columns, key)
    parts = _possible(connection, extract, columns, key)
    hot = [part for part in parts if part.hot]
    there = _there(connection, extract, columns, key, hot) if hot else set()
    return [
        Holding(part.set_id, part.hot)
        for part in parts
        if not part.hot or (part.archived_at, part.load_run_id, part.archive_version) in there
    ]


def _demand_values(connection: psycopg.Connection, columns: list[Column], key: Mapping[str, str]) -> None:
    for column in columns:
        if not key.get(column.name):
            raise NotAKeyError(f"{column.name} is empty: a natural key has a value in every column.")
        try:
            with connection.transaction():
                connection.execute(sql.SQL("SELECT {}").format(_value(column, key)))
        except psycopg.DataError as error:
            raise NotAKeyError(f"What was given for {column.name} is no {column.type}.") from error


def _value(column: Column, key: Mapping[str, str]) -> sql.Composed:
    return sql.SQL("{}::{}").format(sql.Literal(key[column.name]), sql.SQL(column.type))


def _possible(
    connection: psycopg.Connection, extract: Extract, columns: list[Column], key: Mapping[str, str]
) -> list[Part]:
    """The parts whose least and most leave room for the key; one that was entered from its manifest has none."""
    between = [
        sql.SQL("coalesce({value} BETWEEN {least} AND {most}, true)").format(
            value=_comparable(column, _value(column, key)),
            least=_comparable(column, _told(column, "least")),
            most=_comparable(column, _told(column, "most")),
        )
        for column in columns
    ]
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(
            sql.SQL(
                "SELECT {columns} FROM restage.archive_parts p WHERE table_name = {table} AND rows > 0"
                " AND EXISTS (SELECT FROM restage.archive_sets s WHERE s.set_id = p.set_id AND s.removed_at IS NULL)"
                " AND {between} ORDER BY archived_at DESC, set_id"
            ).format(
                columns=PART_COLUMNS,
                table=sql.Literal(extract.table),
                between=sql.SQL(" AND ").join(between),
            )
        ).fetchall()


def _told(column: Column, which: str) -> sql.Composed:
    return sql.SQL("(statistics #>> {})::{}").format(sql.Literal([column.name, which]), sql.SQL(column.type))


def _comparable(column: Column, value: sql.Composed) -> sql.Composed:
    """As archiving.py compared when it made the statistics."""
    return sql.SQL('({}::text COLLATE "C")').format(value) if column.type in ("text", "boolean") else value


def _there(
    connection: psycopg.Connection,
    extract: Extract,
    columns: list[Column],
    key: Mapping[str, str],
    parts: list[Part],
) -> set[tuple[object, ...]]:
    """(archived_at, load run, version) of the parts among whose rows the key is."""
    same = [sql.SQL("a.{} = {}").format(sql.Identifier(column.name), _value(column, key)) for column in columns]
    times = sorted({part.archived_at for part in parts})
    found = connection.execute(
        sql.SQL(
            "SELECT DISTINCT a.archived_at, a.archived_load_run_id, a.archive_version FROM {} a"
            " WHERE a.archived_at = ANY({}) AND {}"
        ).format(archive_tables.table(extract), sql.Literal(times), sql.SQL(" AND ").join(same))
    )
    return {tuple(row) for row in found}
