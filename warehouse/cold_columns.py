"""Columns of an archive in Parquet: integers and booleans as such, all else as the text that PostgreSQL writes.

So every value comes back as it was, whatever its type: numeric without a scale, infinite times, years before Christ,
JSON, arrays. The text is the one of SETTINGS (ISO dates, UTC); the type stands in the footer. Rows travel as CSV, in
which an empty text is quoted and NULL is not.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from warehouse.errors import TellableError
from warehouse.on_use import OnUse

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import csv
else:
    pa = OnUse("pyarrow")
    csv = OnUse("pyarrow.csv")

SETTINGS = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, YMD",
    "timezone": "UTC",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
EXACT = {"smallint": "int16", "integer": "int32", "bigint": "int64", "boolean": "bool"}  # by Arrow's names
BLOCK_BYTES = 2 << 20
FOOTER = b"restage"


class UnwritableValueError(TellableError):
    """A value cannot be kept in a file; the message does not quote it. Nothing was archived."""


def spare_memory() -> None:
    """Take the one of Arrow's allocators that gives back what is free: a third less at the peak, measured."""
    with contextlib.suppress(NotImplementedError):
        pa.set_memory_pool(pa.jemalloc_memory_pool())


def settle(connection: psycopg.Connection) -> None:
    """Inside a transaction: have values written, and read, in the one form."""
    spare_memory()
    for name, value in SETTINGS.items():
        connection.execute("SELECT set_config(%s, %s, true)", [name, value])


def _arrow(type_name: str) -> pa.DataType:
    return pa.type_for_alias(EXACT.get(type_name, "string"))


def schema(columns: Sequence[dict[str, Any]], footer: dict[str, Any]) -> pa.Schema:
    """Of these columns ({name, type, not_null}), with `footer` in the file's footer."""
    fields = [pa.field(c["name"], _arrow(c["type"]), metadata={"postgresql_type": c["type"]}) for c in columns]
    return pa.schema(fields, metadata={FOOTER: json.dumps(footer, sort_keys=True)})


def footer_of(found: pa.Schema) -> dict[str, Any]:
    """What schema() was given; nothing where it is no file of ours."""
    try:
        told = json.loads((found.metadata or {}).get(FOOTER, b"{}"))
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def copy_out(query: sql.Composable) -> sql.Composed:
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query)


def copy_in(table: sql.Identifier, names: Sequence[str]) -> sql.Composed:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(table, columns)


def parse(rows: bytes | bytearray, of: pa.Schema, *, longest: int) -> pa.Table:
    """Rows as COPY sends them; `longest` is the length of the longest. Raises UnwritableValueError."""
    try:
        return csv.read_csv(
            pa.BufferReader(pa.py_buffer(rows)),
            read_options=csv.ReadOptions(column_names=of.names, block_size=max(BLOCK_BYTES, longest + 2)),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=of,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        ).replace_schema_metadata(of.metadata)
    except pa.ArrowInvalid:  # its text quotes the value
        raise UnwritableValueError(
            "A row holds bytes that are no UTF-8 text, or a value that is not of its column's type. Nothing was"
            " archived."
        ) from None


def csv_of(table: pa.Table) -> pa.Buffer:
    """The rows as COPY takes them."""
    sink = pa.BufferOutputStream()
    options = csv.WriteOptions(include_header=False, quoting_style="all_valid", batch_size=max(1, table.num_rows))
    csv.write_csv(table, sink, options)
    return sink.getvalue()
