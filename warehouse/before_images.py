"""What jobs have replaced in staging: how it is kept, how large it is and until when.

A job's before-image gives its rows back exactly, with owner, load time and staging-only columns; without it a rollback
can still make the values anew from superseded raw. It is kept in the transaction that publishes, so there is no
published job without one, and what is purged (image_removal.py) stays listed.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import names
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.journal import Writer

KEPT_FOR = timedelta(days=float(os.environ.get("RESTAGE_BEFORE_IMAGE_DAYS", "30")))


@dataclass(frozen=True)
class ImageSet:
    """What a job keeps of one table. `rows` counts keys, those that it added too; `bytes` as stored in memory."""

    job_id: UUID
    table_name: str
    rows: int
    bytes: int
    kept_at: datetime
    expires_at: datetime
    purged_at: datetime | None


def keep(
    connection: psycopg.Connection, change: Change, space: Workspace, writer: Writer, passes_on: Iterable[int] = ()
) -> None:
    """Keep what the job is about to replace: the image of a row that is there, none for an inserted key. And, as
    rewritten, of the rows of the attempts that it `passes_on` to others as they are (publish.own_anew())."""
    extract = change.extract
    connection.execute(
        sql.SQL(
            "WITH kept AS (INSERT INTO restage.before_images (job_id, table_name, class, key, image)"
            " SELECT {job}, {table}, k.class, {key},"
            " CASE WHEN s.load_run_file_id IS NOT NULL THEN to_jsonb(s) END FROM {replaced} k"
            " LEFT JOIN {stg} s ON s.ctid = k.there AND s.tableoid = k.there_in RETURNING key, image)"
            " INSERT INTO restage.before_image_sets AS s (job_id, table_name, rows, bytes, checksum, expires_at)"
            " SELECT {job}, {table}, count(*), coalesce(sum(pg_column_size(key) + coalesce(pg_column_size(image), 0)),"
            " 0), {checksum}, now() + {kept_for} FROM kept ON CONFLICT (job_id, table_name) DO UPDATE"
            " SET rows = s.rows + excluded.rows, bytes = s.bytes + excluded.bytes,"
            " checksum = s.checksum + excluded.checksum"
        ).format(
            job=sql.Literal(writer.job_id),
            table=sql.Literal(extract.table),
            key=key_json(change, "k"),
            replaced=_replaced(change, space, list(passes_on)),
            stg=names.staging(extract),
            checksum=sql.SQL(_CHECKSUM),
            kept_for=sql.Literal(KEPT_FOR),
        )
    )


def _replaced(change: Change, space: Workspace, passes_on: list[int]) -> sql.Composable:
    """The keys of which something is replaced: `class`, and where the row lies in staging."""
    diff = space.table(change.extract, "diff")
    if not passes_on:
        return diff
    return sql.SQL(
        "(SELECT class, there, there_in, {key} FROM {diff} k UNION ALL SELECT 'rewritten', s.ctid, s.tableoid, {key}"
        " FROM {keys} k JOIN {stg} s ON {k_s} WHERE k.place IS NOT NULL AND s.load_run_file_id = ANY({passes_on})"
        " AND NOT EXISTS (SELECT FROM {diff} d WHERE {k_d}))"
    ).format(
        key=names.key(change.extract, of="k"),
        diff=diff,
        keys=space.table(change.extract, "keys"),
        stg=names.staging(change.extract),
        k_s=names.same_key(change.extract, "k", "s"),
        k_d=names.same_key(change.extract, "k", "d"),
        passes_on=names.integers(passes_on),
    )


def key_json(change: Change, alias: str) -> sql.Composed:
    """A natural key as before_images has it."""
    return names.key_json(change.extract, alias)


def of_jobs(connection: psycopg.Connection, jobs: Iterable[UUID]) -> list[ImageSet]:
    """What these jobs keep or kept, by job and table."""
    with connection.cursor(row_factory=class_row(ImageSet)) as cursor:
        return cursor.execute(f"{SETS} WHERE job_id = ANY(%s) ORDER BY job_id, table_name", [list(jobs)]).fetchall()


def everything(connection: psycopg.Connection) -> list[ImageSet]:
    """Every before-image that is there, the one that expires first at the top."""
    with connection.cursor(row_factory=class_row(ImageSet)) as cursor:
        return cursor.execute(f"{SETS} WHERE purged_at IS NULL ORDER BY expires_at, job_id, table_name").fetchall()


def whole(connection: psycopg.Connection, jobs: Iterable[UUID]) -> dict[tuple[UUID, str], bool]:
    """(job, table) → whether its before-image is there, with every row as it was kept. Locks the sets against a purge
    until the transaction ends."""
    chosen = list(jobs)
    connection.execute("SELECT FROM restage.before_image_sets WHERE job_id = ANY(%s) FOR SHARE", [chosen])
    found = connection.execute(
        sql.SQL(
            "SELECT s.job_id, s.table_name, s.purged_at IS NULL AND s.rows = count(b.key) AND s.checksum = {}"
            " FROM restage.before_image_sets s LEFT JOIN restage.before_images b USING (job_id, table_name)"
            " WHERE s.job_id = ANY({}) GROUP BY s.job_id, s.table_name"
        ).format(sql.SQL(_CHECKSUM), sql.Literal(chosen))
    ).fetchall()
    return {(job, table): is_whole for job, table, is_whole in found}


def count_uncounted(connection: psycopg.Connection) -> None:
    """Give a set to before-images that were kept before there were sets; their time begins anew."""
    connection.execute(
        sql.SQL(
            "INSERT INTO restage.before_image_sets (job_id, table_name, rows, bytes, checksum, expires_at)"
            " SELECT job_id, table_name, count(*), sum(pg_column_size(key) + coalesce(pg_column_size(image), 0)),"
            " {}, now() + {} FROM restage.before_images b WHERE NOT EXISTS (SELECT FROM restage.before_image_sets s"
            " WHERE s.job_id = b.job_id AND s.table_name = b.table_name) GROUP BY 1, 2 ON CONFLICT DO NOTHING"
        ).format(sql.SQL(_CHECKSUM), sql.Literal(KEPT_FOR))
    )


_CHECKSUM = "coalesce(sum(jsonb_hash_extended(key, 0)), 0) + coalesce(sum(jsonb_hash_extended(image, 1)), 0)"
SETS = "SELECT job_id, table_name, rows, bytes, kept_at, expires_at, purged_at FROM restage.before_image_sets"
