"""Copies the rows that a load run owns in staging into the archive tables, inside the database.

What is written is read again before it counts: as many rows as were chosen, and the checksum that goes into the
catalogue. The rows and their entry in the catalogue are one transaction, the caller's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import archive_proof, archive_sets, archive_tables, hashes, names, single
from warehouse.archive_sets import ArchiveSet, Part
from warehouse.errors import TellableError
from warehouse.journal import Writer
from warehouse.registry import Column, Extract, Registry

ARCHIVE, SAFETY, RECOVERED = "archive", "safety", "recovered"
# Of a part of this many rows and more, the rows on one page in so many are weighed, and of no more rows than that: its
# size is an estimate then.
WEIGHED_FROM, WEIGHED, MOST_WEIGHED = 100_000, 16, 20_000


class CannotArchiveError(TellableError):
    """The rows cannot be kept as they are; the message says why. Nothing was archived."""


def archive(
    connection: psycopg.Connection,
    registry: Registry,
    load_run_id: UUID,
    tables: Iterable[str],
    *,
    reason: str,
    expires_at: datetime,
    writer: Writer,
    kind: str = ARCHIVE,
    only: Mapping[str, sql.Composable] | None = None,
    now: datetime | None = None,
) -> ArchiveSet:
    """Keep the rows that the run's attempts own in these tables now; a table of which it owns none has an empty part.

    To be called in a transaction. `only`: table → a further condition on its rows (`s`). `now`: when it is archived,
    the transaction's own time if not given. Raises CannotArchiveError.
    """
    made = begin(connection, load_run_id, reason=reason, expires_at=expires_at, writer=writer, kind=kind, now=now)
    for extract in sorted((registry.of_table(table) for table in set(tables)), key=registry.extracts.index):
        attempts = _attempts(connection, extract, load_run_id)
        condition = _owner(attempts)
        if only and extract.table in only:
            condition = sql.SQL("{} AND ({})").format(condition, only[extract.table])
        chosen = sql.SQL("{} s WHERE {}").format(names.staging(extract), condition)
        keep(connection, extract, made, chosen, loaded=_loaded(connection, attempts))
    return made


def begin(
    connection: psycopg.Connection,
    load_run_id: UUID,
    *,
    reason: str,
    expires_at: datetime,
    writer: Writer,
    kind: str,
    now: datetime | None = None,
) -> ArchiveSet:
    """A set without parts."""
    at = now or single.now(connection)
    made = ArchiveSet(uuid4(), load_run_id, kind, reason, writer.job_id, writer.actor, at, expires_at)
    connection.execute(
        "INSERT INTO restage.archive_sets (set_id, load_run_id, kind, reason, job_id, archived_by, archived_at,"
        " expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [made.set_id, load_run_id, kind, reason, writer.job_id, writer.actor, at, expires_at],
    )
    return made


def owned(connection: psycopg.Connection, registry: Registry, load_run_id: UUID) -> dict[str, tuple[int, int | None]]:
    """Table → the rows that the run owns now, and the valid records that it once loaded (None: not known)."""
    found = {}
    for extract in registry.extracts:
        attempts = _attempts(connection, extract, load_run_id)
        if attempts:
            (rows,) = connection.execute(
                sql.SQL("SELECT count(*) FROM {} s WHERE {}").format(names.staging(extract), _owner(attempts))
            ).fetchone() or (0,)
            found[extract.table] = (int(rows), _loaded(connection, attempts))
    return found


def extracts_of(connection: psycopg.Connection, load_run_id: UUID) -> set[str] | None:
    """The extract types of the run's files; None where there is no such run."""
    if connection.execute("SELECT FROM etl.load_runs WHERE load_run_id = %s", [load_run_id]).fetchone() is None:
        return None
    found = connection.execute(
        "SELECT DISTINCT extract_type FROM etl.load_run_files WHERE load_run_id = %s", [load_run_id]
    )
    return {name for (name,) in found}


def keep(
    connection: psycopg.Connection,
    extract: Extract,
    made: ArchiveSet,
    chosen: sql.Composable,
    *,
    loaded: int | None = None,
    then: list[dict[str, Any]] | None = None,
) -> int:
    """Make the part of one table of the rows of staging that `chosen` (what follows FROM) gives as `s`; how many.

    `loaded`: how many valid records the run once brought, where that says something of the part. `then`: the columns
    that the rows have, where they are of another moment; their hashes are made anew. Raises CannotArchiveError.
    """
    columns = then if then is not None else archive_sets.columns_of(connection, names.staging(extract))
    table = _ready(connection, extract, made.archived_at, columns)
    version = _next_version(connection, extract, made.load_run_id)
    of = archive_proof.hashed(extract, columns)
    row_hash = archive_proof.made(of, "s") if then is not None else hashes.made_where_missing(extract, "s")
    written = _copy(connection, table, columns, chosen, made, version, row_hash)
    part = Part(
        made.set_id,
        extract.table,
        made.load_run_id,
        version,
        made.archived_at,
        written,
        loaded,
        0,
        Decimal(0),
        columns,
        archive_sets.fingerprint(columns),
        of,
        {},
        True,
        None,
        None,
        None,
    )
    read = _read_again(connection, extract, part) if written else _Read()
    if read.rows != written:
        raise CannotArchiveError(
            f"stg.{extract.table}: {written:,} rows were copied and {read.rows:,} can be read again."
            " Nothing was archived."
        )
    _enter(connection, part, read)
    return written


@dataclass(frozen=True)
class _Read:
    """What was found of a part's rows by reading them again."""

    rows: int = 0
    checksum: Decimal = Decimal(0)
    bytes: int = 0
    statistics: Mapping[str, Mapping[str, Any]] | None = None


def _ready(
    connection: psycopg.Connection, extract: Extract, at: datetime, columns: list[dict[str, Any]]
) -> sql.Identifier:
    """Make the archive table fit for rows of these columns, and its month; where to write."""
    table = _month(connection, extract, at)
    there = {c["name"]: c["type"] for c in archive_sets.columns_of(connection, archive_tables.table(extract))}
    for column in columns:
        name, kind = column["name"], column["type"]
        if name not in there:  # a column of staging that no declaration knows is kept too
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {}").format(
                    archive_tables.table(extract), sql.Identifier(name), sql.SQL(kind)
                )
            )
        elif there[name] != kind:
            raise CannotArchiveError(
                f"stg.{extract.table}.{name} is {kind}, its archive table has {there[name]}: a copy might change"
                " values. Nothing was archived. Change the type of the archive table's column first."
            )
    return table


def _month(connection: psycopg.Connection, extract: Extract, at: datetime) -> sql.Identifier:
    """The month's partition, which need not be looked for a row at a time. It cannot be made where rows of the month
    lie in the default partition: these rows go there too."""
    try:
        with connection.transaction():
            return archive_tables.make_month(connection, extract, at)
    except psycopg.errors.CheckViolation:
        return archive_tables.table(extract)


def _attempts(connection: psycopg.Connection, extract: Extract, load_run_id: UUID) -> list[int]:
    found = connection.execute(
        "SELECT load_run_file_id FROM etl.load_run_files WHERE load_run_id = %s AND extract_type = %s",
        [load_run_id, extract.name],
    ).fetchall()
    return [file for (file,) in found]


def _owner(attempts: list[int]) -> sql.Composed:
    return sql.SQL("s.load_run_file_id = ANY({})").format(names.integers(attempts))


def _loaded(connection: psycopg.Connection, attempts: list[int]) -> int | None:
    """The valid records that these attempts brought: what was ingested and not refused afterwards."""
    (loaded,) = connection.execute(
        "SELECT CASE WHEN bool_and(rows_ingested IS NOT NULL) THEN sum(rows_ingested) - (SELECT"
        " count(DISTINCT (load_run_file_id, record_no)) FROM restage.rejections WHERE load_run_file_id = ANY(%(files)s)"
        " AND severity = 'reject' AND stage = 'transform') END FROM etl.load_run_files"
        " WHERE load_run_file_id = ANY(%(files)s) AND status IN ('completed', 'rolled_back')",
        {"files": attempts},
    ).fetchone() or (None,)
    return None if loaded is None else int(loaded)


def _next_version(connection: psycopg.Connection, extract: Extract, load_run_id: UUID) -> int:
    """Never one that was given before: the parts of removed sets stay in the catalogue."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"archive {extract.table} of {load_run_id}"]
    )
    (version,) = connection.execute(
        "SELECT coalesce(max(archive_version), 0) + 1 FROM restage.archive_parts"
        " WHERE table_name = %s AND load_run_id = %s",
        [extract.table, load_run_id],
    ).fetchone() or (1,)
    return int(version)


def _copy(
    connection: psycopg.Connection,
    table: sql.Identifier,
    columns: list[dict[str, Any]],
    chosen: sql.Composable,
    made: ArchiveSet,
    version: int,
    row_hash: sql.Composable,
) -> int:
    """One statement; `row_hash` is made of the row `s`."""
    copied = [column["name"] for column in columns if column["name"] != hashes.COLUMN]
    return connection.execute(
        sql.SQL(
            "INSERT INTO {archive} (row_hash, {columns}, archived_at, archived_load_run_id, archive_reason,"
            " archive_version) SELECT {row_hash}, {values}, {at}, {run}, {reason}, {version}"
            " FROM {chosen}"
        ).format(
            archive=table,
            columns=names.columns(copied),
            values=names.columns(copied, of="s"),
            row_hash=row_hash,
            at=sql.Literal(made.archived_at),
            run=sql.Literal(made.load_run_id),
            reason=sql.Literal(made.reason),
            version=sql.Literal(version),
            chosen=chosen,
        )
    ).rowcount


def _read_again(connection: psycopg.Connection, extract: Extract, part: Part) -> _Read:
    each = [
        sql.SQL("{name}, jsonb_build_object('least', min({by})::text, 'most', max({by})::text)").format(
            name=sql.Literal(column.name), by=_comparable(column)
        )
        for column in _of_key(extract, part.columns)
    ]
    weighed = part.rows >= WEIGHED_FROM
    rows, checksum, size, statistics = single.row(
        connection,
        sql.SQL(
            "SELECT count(*), {checksum}, {size}, jsonb_build_object({each}) FROM {table} a WHERE {of_part}"
        ).format(
            size=sql.SQL("0" if weighed else "coalesce(sum(pg_column_size(a)), 0)"),
            checksum=archive_proof.checksum(part.hashed, "a"),
            each=sql.SQL(", ").join(each),
            table=archive_sets.lies_in(part),
            of_part=archive_sets.of_part(part),
        ),
    )
    return _Read(rows, checksum, _weigh(connection, part) if weighed else int(size), statistics)


def _weigh(connection: psycopg.Connection, part: Part) -> int:
    """The size of a part's rows in bytes, by those on one page in so many: to weigh all of them takes as long as their
    checksum. All of them where chance has chosen none."""
    for share in (100 * min(1 / WEIGHED, MOST_WEIGHED / part.rows), 100):
        rows, size = single.row(
            connection,
            sql.SQL(
                "SELECT count(*), coalesce(sum(pg_column_size(a)), 0) FROM {table} a TABLESAMPLE SYSTEM ({share})"
                " REPEATABLE (1) WHERE {of_part}"
            ).format(table=archive_sets.lies_in(part), share=sql.Literal(share), of_part=archive_sets.of_part(part)),
        )
        if rows:
            break
    return int(part.rows * size / max(rows, 1))


def _of_key(extract: Extract, columns: list[dict[str, Any]]) -> list[Column]:
    """The columns of which least and most are kept: those that a search goes by, as far as staging has them."""
    there = {column["name"] for column in columns}
    return [column for column in extract.staged if column.name in there and column.name in extract.natural_key]


def _comparable(column: Column) -> sql.Composed:
    """Text in an order that no upgrade of a library changes."""
    if column.type in ("text", "boolean"):
        return sql.SQL('{}::text COLLATE "C"').format(sql.Identifier("a", column.name))
    return sql.SQL("{}").format(sql.Identifier("a", column.name))


def _enter(connection: psycopg.Connection, part: Part, read: _Read) -> None:
    connection.execute(
        "INSERT INTO restage.archive_parts (set_id, table_name, load_run_id, archive_version, archived_at, rows,"
        " loaded, bytes, checksum, columns, fingerprint, hashed, statistics)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            part.set_id,
            part.table_name,
            part.load_run_id,
            part.archive_version,
            part.archived_at,
            part.rows,
            part.loaded,
            read.bytes,
            read.checksum,
            Jsonb(part.columns),
            part.fingerprint,
            Jsonb(part.hashed),
            Jsonb(read.statistics or {}),
        ],
    )
