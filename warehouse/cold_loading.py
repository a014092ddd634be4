"""Files of a cold archive → an UNLOGGED table, with the columns as they were archived."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import archive_proof, cold_columns, cold_reading, cold_verifying
from warehouse.cold_manifest import Manifest, Secrets
from warehouse.cold_reading import CHECKSUM, ROWS, DamagedError, Finding
from warehouse.cold_store import Store
from warehouse.cold_verifying import Known
from warehouse.errors import TellableError
from warehouse.on_use import OnUse
from warehouse.progress import Progress, Told, nobody

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = OnUse("pyarrow")

_TYPE = re.compile(r'[\w ."(),\[\]]+')


class UnknownTypeError(TellableError):
    """The warehouse does not have a type any more that a column was archived with."""


@dataclass(frozen=True)
class Loaded:
    """`columns`: name, type, not_null of what lies in `table`, in their order."""

    table: sql.Identifier
    columns: list[dict[str, Any]]
    rows: int
    manifest: Manifest


def load(
    connection: psycopg.Connection,
    store: Store,
    secrets: Secrets,
    set_id: UUID,
    table: str,
    *,
    into: sql.Identifier,
    known: Known | None = None,
    told: Told = nobody,
) -> Loaded:
    """Make `into` of the archived rows of a part, in one transaction.

    Every file is verified before the first write and again as it is read; then rows and checksum are counted in the
    table. Raises DamagedError, UnknownTypeError, StoreError, UnreachableStoreError: there is no table then.
    """
    manifest = cold_verifying.demand(store, secrets, set_id, table, known=known, told=told)
    names = [column["name"] for column in manifest.columns]
    with connection.transaction():
        cold_columns.settle(connection)
        connection.execute(
            sql.SQL("CREATE UNLOGGED TABLE {} ({}) WITH (autovacuum_enabled = off)").format(
                into, _definition(connection, manifest.columns)
            )
        )
        with connection.cursor() as cursor:
            with cursor.copy(cold_columns.copy_in(into, names)) as copy:
                for rows in _csv(store, manifest, told):
                    copy.write(memoryview(rows))
            loaded = cursor.rowcount
        _prove(connection, into, manifest, loaded)
    return Loaded(into, manifest.columns, loaded, manifest)


def _definition(connection: psycopg.Connection, columns: list[dict[str, Any]]) -> sql.Composed:
    unknown = [column for column in columns if not _is_type(connection, column["type"])]
    if unknown:
        said = ", ".join(f"{column['name']} ({column['type']})" for column in unknown)
        raise UnknownTypeError(f"The warehouse does not know the type of {said}. Make it again; nothing was read.")
    parts = (sql.SQL("{} {}").format(sql.Identifier(c["name"]), sql.SQL(c["type"])) for c in columns)
    return sql.SQL(", ").join(parts)


def _is_type(connection: psycopg.Connection, name: str) -> bool:
    if not _TYPE.fullmatch(name):
        return False
    found = connection.execute("SELECT to_regtype(%s) IS NOT NULL", [name]).fetchone()
    return found == (True,)


def _csv(store: Store, manifest: Manifest, told: Told) -> Iterator[pa.Buffer]:
    """The rows of all files as COPY takes them; the next ones are made ready while some are sent."""
    read = 0
    for number, entry in enumerate(manifest.files):
        with (
            cold_reading.checked(store, f"{manifest.folder}/{entry.name}", entry) as path,
            ThreadPoolExecutor(1, "csv") as ahead,
        ):
            tables = cold_reading.row_groups(path)

            def following(tables: Iterator[pa.Table] = tables) -> pa.Buffer | None:
                table = next(tables, None)
                return None if table is None else cold_columns.csv_of(table)

            rows = ahead.submit(following)
            while (found := rows.result()) is not None:
                rows = ahead.submit(following)
                told(Progress(f"read stg.{manifest.table}", number, len(manifest.files), 0, read, manifest.size))
                yield found
        read += entry.bytes


def _prove(connection: psycopg.Connection, into: sql.Identifier, manifest: Manifest, loaded: int) -> None:
    if loaded != manifest.rows:
        told = f"{loaded:,} rows were read instead of {manifest.rows:,}"
        raise DamagedError([Finding(ROWS, manifest.table, told)])
    (found,) = connection.execute(
        sql.SQL("SELECT {} FROM {} a").format(archive_proof.checksum(manifest.hashed, "a"), into)
    ).fetchone() or (None,)
    if str(found) != manifest.checksum:
        raise DamagedError([Finding(CHECKSUM, manifest.table, "the rows are not those that were archived")])
