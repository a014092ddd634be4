"""Safety sets: what a restore is about to replace, archived before it and in its transaction."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import archive_tables, drift, hashes, names
from warehouse.archive_parts import Part
from warehouse.build import Workspace
from warehouse.journal import Writer
from warehouse.registry import Extract

KEPT_FOR = timedelta(days=90)
SAFETY = "safety"
HASH = hashes.COLUMN


@dataclass(frozen=True)
class SafetySet:
    """One set a restore, under the load run of the set that is restored; its rows keep the owners that they had."""

    set_id: UUID
    load_run_id: UUID


def begin(connection: psycopg.Connection, part: Part, writer: Writer) -> SafetySet:
    """A set without parts, of this transaction's time."""
    made = SafetySet(uuid4(), part.load_run_id)
    connection.execute(
        "INSERT INTO restage.archive_sets (set_id, load_run_id, kind, reason, job_id, archived_by, archived_at,"
        " expires_at) VALUES (%s, %s, %s, %s, %s, %s, now(), now() + %s)",
        [made.set_id, made.load_run_id, SAFETY, _reason(part), writer.job_id, writer.actor, KEPT_FOR],
    )
    return made


def _reason(part: Part) -> str:
    return f"replaced by a restore of set {part.set_id}"


def keep(connection: psycopg.Connection, extract: Extract, part: Part, safety: SafetySet, space: Workspace) -> int:
    """Archive the rows of staging that `diff` is about to replace; how many."""
    version = _next_version(connection, extract, safety.load_run_id)
    columns = [HASH, *_columns(extract)]
    own = {"load_run_file_id": "", "load_ts": "", **{c.name: c.type for c in extract.staging_only}}
    copied = sql.SQL(
        "WITH w AS (INSERT INTO {archive} AS a ({columns}, archived_at, archived_load_run_id, archive_reason,"
        " archive_version) SELECT {values}, now(), {run}, {reason}, {version} FROM {stg} s JOIN {diff} k"
        " ON s.ctid = k.there AND s.tableoid = k.there_in WHERE k.class = 'updated'"
        " RETURNING a.row_hash, {own} AS meta)"
        " SELECT count(*), coalesce(sum(row_hash) + sum(meta), 0) FROM w"
    ).format(
        archive=archive_tables.table(extract),
        columns=names.columns(columns),
        values=sql.SQL(", ").join(
            [hashes.kept(extract, "s"), *(sql.Identifier("s", name) for name in _columns(extract))]
        ),
        own=hashes.over(own, "a"),
        run=sql.Literal(safety.load_run_id),
        reason=sql.Literal(_reason(part)),
        version=sql.Literal(version),
        stg=names.staging(extract),
        diff=space.table(extract, "diff"),
    )
    rows, checksum = connection.execute(copied).fetchone() or (0, 0)
    _note(connection, extract, safety, version, rows, checksum)
    return int(rows)


def _columns(extract: Extract) -> list[str]:
    return [*(column.name for column in (*extract.staged, *extract.staging_only)), "load_run_file_id", "load_ts"]


def _next_version(connection: psycopg.Connection, extract: Extract, load_run_id: UUID) -> int:
    """Held until the transaction ends."""
    connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"archive of {extract.table} {load_run_id}"]
    )
    (version,) = connection.execute(
        "SELECT coalesce(max(archive_version), 0) + 1 FROM restage.archive_parts"
        " WHERE table_name = %s AND load_run_id = %s",
        [extract.table, load_run_id],
    ).fetchone() or (1,)
    return int(version)


def _note(
    connection: psycopg.Connection,
    extract: Extract,
    safety: SafetySet,
    version: int,
    rows: int,
    checksum: Decimal,
) -> None:
    """The part in the catalogue; `checksum` is of the rows as they were stored. The size is told from some of them."""
    targets = drift.targets_of(connection, names.staging(extract))
    columns = Jsonb([{"name": t.name, "type": t.type, "not_null": t.not_null} for t in targets.values()])
    connection.execute(
        sql.SQL(
            "INSERT INTO restage.archive_parts (set_id, table_name, load_run_id, archive_version, archived_at, rows,"
            " bytes, checksum, columns, fingerprint) SELECT %(set)s, {table}, %(run)s, %(version)s, now(), %(rows)s,"
            " %(rows)s * coalesce(avg(pg_column_size(a.*)), 0), %(checksum)s, %(columns)s,"
            " encode(sha256(convert_to(%(columns)s::jsonb::text, 'UTF8')), 'hex') FROM (SELECT * FROM {archive}"
            " WHERE archived_at = now() AND archived_load_run_id = %(run)s AND archive_version = %(version)s"
            " LIMIT 1000) a"
        ).format(table=sql.Literal(extract.table), archive=archive_tables.table(extract)),
        {
            "set": safety.set_id,
            "run": safety.load_run_id,
            "version": version,
            "rows": rows,
            "checksum": checksum,
            "columns": columns,
        },
    )
