"""File attempts: what stands in etl.load_run_files, and how one replaces another."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse import names
from warehouse.errors import TellableError
from warehouse.ingest import Intake
from warehouse.registry import Extract
from warehouse.sources import Address, Content


class ReplacedMeanwhileError(TellableError):
    """A file of the job is not the live attempt any more; the message says which run replaced it."""


@dataclass(frozen=True)
class Attempt:
    """One row of etl.load_run_files."""

    load_run_file_id: int
    load_run_id: UUID
    s3_bucket: str
    s3_key: str
    extract_type: str
    status: str
    rows_read: int | None
    content_sha256: str | None
    content_bytes: int | None
    superseded_in: UUID | None
    extracted_at: datetime | None
    per_org_id: str = ""
    practice_id: str = ""

    @property
    def address(self) -> Address:
        return Address(self.s3_bucket, self.s3_key)

    @property
    def content(self) -> Content | None:
        """What was read at the first load; None for files loaded before Restage kept it."""
        if self.content_sha256 is None or self.content_bytes is None:
            return None
        return Content(self.content_sha256, self.content_bytes)


_COLUMNS = """f.load_run_file_id, f.load_run_id, f.s3_bucket, f.s3_key, f.extract_type, f.status, f.rows_read,
    f.content_sha256, f.content_bytes, s.load_run_id AS superseded_in,
    nullif(restage.extracted_at(f.date_extracted), '-infinity') AS extracted_at, f.per_org_id, f.practice_id
    FROM etl.load_run_files f
    LEFT JOIN etl.load_run_files s ON s.load_run_file_id = f.superseded_by_load_run_file_id"""


def of_runs(connection: psycopg.Connection, load_runs: Iterable[UUID]) -> list[Attempt]:
    """The attempts of these runs, in the order of the source: extraction time, then file order."""
    with connection.cursor(row_factory=class_row(Attempt)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} WHERE f.load_run_id = ANY(%s) ORDER BY extracted_at NULLS FIRST, f.load_run_file_id",
            [list(load_runs)],
        ).fetchall()


def of_ids(connection: psycopg.Connection, ids: Iterable[int]) -> list[Attempt]:
    """These attempts, in file order."""
    with connection.cursor(row_factory=class_row(Attempt)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} WHERE f.load_run_file_id = ANY(%s) ORDER BY f.load_run_file_id",
            [list(ids)],
        ).fetchall()


def without_raw(connection: psycopg.Connection, extract: Extract, ids: Iterable[int]) -> list[int]:
    """Those of these attempts that ingested records of which raw holds none any more."""
    return [
        file
        for (file,) in connection.execute(
            sql.SQL(
                "SELECT f.load_run_file_id FROM etl.load_run_files f WHERE f.load_run_file_id = ANY({}) AND"
                " f.rows_ingested > 0 AND NOT EXISTS (SELECT FROM {} r WHERE r.load_run_file_id = f.load_run_file_id)"
                " ORDER BY 1"
            ).format(names.integers(ids), names.raw(extract))
        ).fetchall()
    ]


def supersede(connection: psycopg.Connection, old: int) -> None:
    """Take a live attempt out of what counts. Raises ReplacedMeanwhileError if it has left already."""
    left = connection.execute(
        "UPDATE etl.load_run_files SET superseded_at = now(), updated_at = now()"
        " WHERE load_run_file_id = %s AND superseded_at IS NULL",
        [old],
    ).rowcount
    if not left:
        raise ReplacedMeanwhileError(f"File {old} has been replaced by another job. Nothing was changed.")


def succeed(connection: psycopg.Connection, old: int, load_run_id: UUID, content: Content | None) -> int:
    """A new attempt at the old one's file, in processing; it keeps the source's extraction time and file order.

    `content`: what was read for it; None where nothing was, and it stands for what the old one had read.
    """
    (new,) = connection.execute(
        "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,"
        " extract_type, per_org_id, practice_id, started_at, status, content_sha256, content_bytes,"
        " predecessor_load_run_file_id, original_load_run_file_id)"
        " SELECT %(run)s, s3_bucket, s3_key, s3_version_id,"
        " coalesce(%(sha)s::text || ':' || %(size)s::bigint || ':' || s3_key, file_hash), date_extracted, extract_type,"
        " per_org_id, practice_id, now(), 'processing', coalesce(%(sha)s, content_sha256),"
        " coalesce(%(size)s, content_bytes),"
        " load_run_file_id, coalesce(original_load_run_file_id, load_run_file_id)"
        " FROM etl.load_run_files WHERE load_run_file_id = %(old)s RETURNING load_run_file_id",
        {
            "run": load_run_id,
            "sha": content.sha256 if content else None,
            "size": content.size if content else None,
            "old": old,
        },
    ).fetchone() or (0,)
    connection.execute(
        "UPDATE etl.load_run_files SET superseded_by_load_run_file_id = %s WHERE load_run_file_id = %s", [new, old]
    )
    return int(new)


def withdraw(connection: psycopg.Connection, new: int, old: int) -> None:
    """Undo succeed(): the new attempt is rolled back, the old one counts again.

    Raises ReplacedMeanwhileError where the new attempt is not the live one.
    """
    left = connection.execute(
        "UPDATE etl.load_run_files SET status = 'rolled_back', superseded_at = now(), updated_at = now(),"
        " superseded_by_load_run_file_id = %s WHERE load_run_file_id = %s AND superseded_at IS NULL",
        [old, new],
    ).rowcount
    if not left:
        raise ReplacedMeanwhileError(f"File {new} has been replaced by a later job. Nothing was changed.")
    connection.execute(
        "UPDATE etl.load_run_files SET superseded_at = NULL, superseded_by_load_run_file_id = NULL,"
        " updated_at = now() WHERE load_run_file_id = %s",
        [old],
    )


@dataclass(frozen=True)
class Staged:
    """A file of a job, read into restage_build under a stand-in id below zero. `content`: None where it is not read,
    as nothing is to count of it."""

    old: int
    load_run_id: UUID
    stand_in: int
    content: Content | None
    intake: Intake
