"""A record and the staging row of its key, value by value: masked, or in clear for those who may see them."""

from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import names
from warehouse.records import Record
from warehouse.registry import Extract


@dataclass(frozen=True)
class Value:
    """`raw`: the field of the record; `staged`: what the row holds. None: there is none, or it is NULL."""

    column: str
    raw: str | None
    staged: str | None


def masked(connection: psycopg.Connection, extract: Extract, record: Record, asked: sql.Composed) -> dict[str, Value]:
    """Column → value, of which only the shape is told. `asked`: SELECT of the record's natural key."""
    return _values(connection, extract, record, asked, sql.SQL("restage.mask({})"))


def in_clear(connection: psycopg.Connection, extract: Extract, record: Record, asked: sql.Composed) -> dict[str, Value]:
    """As masked(), as they are: only for one who has the right, and whose looking is in the trail."""
    return _values(connection, extract, record, asked, sql.SQL("{}"))


def _values(
    connection: psycopg.Connection, extract: Extract, record: Record, asked: sql.Composed, shown: sql.SQL
) -> dict[str, Value]:
    columns = [column.name for column in (*extract.staged, *extract.staging_only)]
    cleaned = sql.SQL(" AND ").join(
        sql.SQL("restage.clean(r.{0}) = k.{0}").format(sql.Identifier(name)) for name in extract.natural_key
    )
    query = sql.SQL(
        "SELECT c.name AS column, {raw_value} AS raw, {row_value} AS staged FROM ({asked}) k"
        " JOIN {raw} r ON {cleaned} AND r.load_run_file_id = {file}"
        " AND r.record_no IS NOT DISTINCT FROM {record}::integer"
        " LEFT JOIN {stg} s ON {same}"
        " CROSS JOIN unnest({columns}::text[]) WITH ORDINALITY c (name, place) ORDER BY c.place"
    ).format(
        raw_value=shown.format(sql.SQL("(to_jsonb(r) ->> c.name)")),
        row_value=shown.format(sql.SQL("(to_jsonb(s) ->> c.name)")),
        asked=asked,
        raw=names.raw(extract),
        cleaned=cleaned,
        file=sql.Literal(record.load_run_file_id),
        record=sql.Literal(record.record_no),
        stg=names.staging(extract),
        same=names.same_key(extract, "s", "k"),
        columns=sql.Literal(columns),
    )
    with connection.cursor(row_factory=class_row(Value)) as cursor:
        return {value.column: value for value in cursor.execute(query).fetchall()}
