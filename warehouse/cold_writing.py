"""Writes the rows of a query as Parquet files with zstd, from one COPY, in steady memory.

Each file is written aside, forced to the disk, and read again: its bytes by their hash, every page by decoding it, the
rows by what they come to. Only then it is placed. A file that is placed is nothing yet: cold_manifest says what makes
an archive. That its values are those of the rows is proved row by row before these go (cooling.prove).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from warehouse import cold_columns, cold_reading
from warehouse.cold_keys import Keys
from warehouse.cold_manifest import FileEntry, KeyFilter
from warehouse.cold_store import Store, StoreError, UnreachableStoreError
from warehouse.cold_tally import Tally
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.on_use import OnUse

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = OnUse("pyarrow")
    pq = OnUse("pyarrow.parquet")

FILE_BYTES = 128_000_000
ROW_GROUP_BYTES = 16 << 20  # of rows as CSV: what is in memory, a few times, at once
LEVEL = 3
MOST_DISTINCT = 4  # rows for each distinct value, at least, for a dictionary
KEYS_FILE = "keys.bin"
Told = Callable[[int, int], None]  # rows and bytes so far; may raise what stops the work


class NotWrittenError(TellableError):
    """What was read again is not what was written. Nothing counts as an archive."""


@dataclass(frozen=True)
class Written:
    """`tally`: of all rows."""

    files: tuple[FileEntry, ...]
    keys: KeyFilter | None
    tally: Tally


@dataclass(frozen=True)
class Place:
    """Where the files of one writing go: `folder` below the store's root, `writing` a name that no other has."""

    store: Store
    folder: str
    writing: str

    def aside(self, name: str) -> str:
        return self.store.aside(self.writing, name, self.folder)

    def final(self, name: str) -> str:
        return f"{self.folder}/{self.writing}/{name}"


def write(
    connection: psycopg.Connection,
    query: sql.Composable,
    columns: list[dict[str, Any]],
    place: Place,
    *,
    footer: dict[str, Any],
    keys: Keys | None,
    key_columns: tuple[str, ...],
    told: Told,
) -> Written:
    """Write the rows of the query, whose columns are `columns`; to be called in a transaction.

    Raises UnwritableValueError, NotWrittenError, StoreError, UnreachableStoreError, and what `told` raises.
    """
    cold_columns.settle(connection)
    work = _Work(place, columns, footer, keys)
    try:
        _stream(connection, query, work, told)
        written = Written(tuple(work.files), _keep_keys(place, keys, key_columns), work.tally)
        if place.store.local:
            place.store.leave(f"aside/{place.writing}")
        return written
    except (OSError, pa.ArrowException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise StoreError(f"The archive store refuses a write: {why}. Nothing was archived.") from None
    finally:
        work.abandon()


def discard(place: Place) -> None:
    """Remove what a writing that failed has left, as far as the store lets us; the rest is an orphan."""
    for folder in {f"aside/{place.writing}", f"{place.folder}/{place.writing}"}:
        with suppress(StoreError, UnreachableStoreError):
            for item in place.store.listing(folder):
                place.store.remove(item.name)


def _stream(connection: psycopg.Connection, query: sql.Composable, work: _Work, told: Told) -> None:
    """Read the next rows while those before are parsed and those before them are written."""
    schema, sent = cold_columns.schema(work.columns, {}), 0
    with ThreadPoolExecutor(1, "parse") as parsing, ThreadPoolExecutor(1, "write") as writing:
        under_way: Future[None] | None = None
        for rows, longest, count in _portions(connection, query):
            parsed = parsing.submit(cold_columns.parse, rows, schema, longest=longest)
            if under_way:
                under_way.result()
            sent += count
            told(sent, work.size)
            under_way = writing.submit(work.take, parsed)
        if under_way:
            under_way.result()
        writing.submit(work.end).result()
    if work.tally.rows != sent:
        raise NotWrittenError(
            f"COPY has sent {sent:,} rows and {work.tally.rows:,} were written. Nothing was archived."
        )


def _portions(connection: psycopg.Connection, query: sql.Composable) -> Iterator[tuple[bytearray, int, int]]:
    """Rows together, the length of the longest, their number. COPY sends each row as a message of its own."""
    rows, longest, count = bytearray(), 0, 0
    with connection.cursor().copy(cold_columns.copy_out(query)) as copy:
        for row in copy:
            rows += row
            count += 1
            if len(row) > longest:
                longest = len(row)
            if len(rows) >= ROW_GROUP_BYTES:
                yield rows, longest, count
                rows, longest, count = bytearray(), 0, 0
    if rows:
        yield rows, longest, count


@dataclass
class _Work:
    """The files as they come to be; used by one thread at a time."""

    place: Place
    columns: list[dict[str, Any]]
    footer: dict[str, Any]
    keys: Keys | None
    files: list[FileEntry] = field(default_factory=list)
    size: int = 0
    tally: Tally = field(default_factory=Tally)
    _open: _File | None = None

    def take(self, parsed: Future[pa.Table]) -> None:
        """Write these rows as one row group."""
        table = parsed.result()
        if self._open is None:
            number = len(self.files) + 1
            schema = cold_columns.schema(self.columns, {**self.footer, "file": number})
            self._open = _File(self.place, f"rows-{number:04}.parquet", schema)
        self._open.take(table)
        if self.keys:
            self.keys.add(table)
        if self._open.size >= FILE_BYTES:
            self.end()

    def end(self) -> None:
        """Finish the file that is open."""
        if self._open is not None:
            entry = self._open.finish()
            self.tally.join(self._open.tally)
            self._open = None
            self.files.append(entry)
            self.size += entry.bytes

    def abandon(self) -> None:
        """Let go of a file that is not finished."""
        if self._open is not None:
            self._open.abandon()
            self._open = None


class _File:
    """One Parquet file, written aside."""

    def __init__(self, place: Place, name: str, schema: pa.Schema) -> None:
        self._place, self._name, self._schema = place, name, schema
        self.tally = Tally()
        self._creating = place.store.create(place.aside(name))
        self._sink = _Sink(self._creating.__enter__())
        self._writer: pq.ParquetWriter | None = None

    @property
    def size(self) -> int:
        return self._sink.size

    def take(self, table: pa.Table) -> None:
        self.tally.add(table)
        table = table.replace_schema_metadata(self._schema.metadata)
        if self._writer is None:
            self._writer = _writer(self._sink, self._schema, table)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def abandon(self) -> None:
        with suppress(OSError, TellableError, pa.ArrowException):
            if self._writer is not None:
                self._writer.close()
        with suppress(OSError, TellableError):
            self._creating.__exit__(None, None, None)

    def finish(self) -> FileEntry:
        """Close it, read it again, place it. Raises NotWrittenError, StoreError."""
        assert self._writer is not None  # noqa: S101  a file is begun with its first rows
        self._writer.close()
        self._creating.__exit__(None, None, None)
        failpoint("cold file written")
        entry = FileEntry(self._name, self.tally.rows, self._sink.size, self._sink.sha256)
        aside = self._place.aside(self._name)
        try:
            with cold_reading.checked(self._place.store, aside, entry) as path:
                found = cold_reading.tally(path)
        except (cold_reading.DamagedError, pa.ArrowException, OSError) as error:
            raise NotWrittenError(f"{self._name} cannot be read again as it was written. Nothing was archived.") from (
                error if isinstance(error, TellableError) else None
            )
        if found != self.tally:
            raise NotWrittenError(f"{self._name} gives other rows than were written. Nothing was archived.")
        failpoint("cold file read again")
        self._place.store.place(aside, self._place.final(self._name))
        failpoint("cold file placed")
        return entry


def _writer(sink: _Sink, schema: pa.Schema, table: pa.Table) -> pq.ParquetWriter:
    """Texts that say the same often, as the first rows have it, go through a dictionary; of others that is half of the
    time and of the size. Least and most stand in the file only of what is no text."""
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    repeated = [name for name in texts if len(table.column(name).unique()) * MOST_DISTINCT < table.num_rows]
    return pq.ParquetWriter(
        pa.PythonFile(sink, "w"),
        schema,
        version="2.6",
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=repeated or False,
        write_statistics=[field.name for field in table.schema if field.name not in texts] or False,
    )


class _Sink:
    """A stream that knows what went through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._digest, self.size, self.closed = stream, hashlib.sha256(), 0, False

    def write(self, block: Any) -> int:
        view = memoryview(block)
        wrote = self._stream.write(view)
        if wrote != len(view):
            raise OSError(f"{wrote} of {len(view)} bytes were written")
        self._digest.update(view)
        self.size += wrote
        return wrote

    def flush(self) -> None:
        """The stream is flushed, and forced to the disk, at its end."""

    def close(self) -> None:
        self.closed = True

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _keep_keys(place: Place, keys: Keys | None, columns: tuple[str, ...]) -> KeyFilter | None:
    if keys is None:
        return None
    content = keys.content()
    with place.store.create(place.aside(KEYS_FILE)) as stream:
        stream.write(content)
    entry = KeyFilter(KEYS_FILE, columns, len(content), hashlib.sha256(content).hexdigest())
    with cold_reading.checked(place.store, place.aside(KEYS_FILE), entry):
        pass
    place.store.place(place.aside(KEYS_FILE), place.final(KEYS_FILE))
    return entry
