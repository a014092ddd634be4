"""The attempts at a file, from the first one on: which replaced which, which job made it, which took it back."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from warehouse.sources import Address, Content


@dataclass(frozen=True)
class Link:
    """One attempt at a file. `original`: the first attempt at the same file (itself, of a first one). `job`: what made
    it, `reason` why; `taken_back_by`: the rollback that withdrew it. `declaration`: digest of what built its rows."""

    load_run_file_id: int
    load_run_id: UUID
    folder: str
    key: str
    version_id: str
    sha256: str | None
    bytes: int | None
    extract_type: str
    extracted_at: datetime | None
    loaded_at: datetime
    run_started_at: datetime | None
    triggered_by: str
    status: str
    rows_read: int | None
    rows_ingested: int | None
    rows_rejected: int | None
    superseded_at: datetime | None
    superseded_by: int | None
    predecessor: int | None
    original: int
    job: UUID | None
    reason: str | None
    taken_back_by: UUID | None
    declaration: str | None

    @property
    def live(self) -> bool:
        return self.status == "completed" and self.superseded_at is None

    @property
    def address(self) -> Address:
        return Address(self.folder, self.key)

    @property
    def content(self) -> Content | None:
        """What was read of it; None where nobody noted it."""
        return None if self.sha256 is None or self.bytes is None else Content(self.sha256, self.bytes)


def of_files(connection: psycopg.Connection, files: Collection[int]) -> dict[int, Link]:
    """Every attempt at the files that these are attempts at, by number, oldest first."""
    with connection.cursor(row_factory=class_row(Link)) as cursor:
        found = cursor.execute(_LINKS + _CHAIN, {"files": list(files)}).fetchall()
    return {link.load_run_file_id: link for link in found}


def of_run(connection: psycopg.Connection, load_run_id: UUID) -> list[Link]:
    """The run's own attempts, in file order."""
    with connection.cursor(row_factory=class_row(Link)) as cursor:
        return cursor.execute(
            f"{_LINKS} WHERE f.load_run_id = %s ORDER BY f.load_run_file_id", [load_run_id]
        ).fetchall()


_LINKS = """
SELECT f.load_run_file_id, f.load_run_id, f.s3_bucket AS folder, f.s3_key AS key, f.s3_version_id AS version_id,
    f.content_sha256 AS sha256, f.content_bytes AS bytes, f.extract_type,
    nullif(restage.extracted_at(f.date_extracted), '-infinity') AS extracted_at, f.created_at AS loaded_at,
    l.started_at AS run_started_at, l.triggered_by, f.status, f.rows_read, f.rows_ingested, f.rows_rejected,
    f.superseded_at, f.superseded_by_load_run_file_id AS superseded_by,
    f.predecessor_load_run_file_id AS predecessor,
    coalesce(f.original_load_run_file_id, f.load_run_file_id) AS original, p.job_id AS job, p.reason,
    CASE WHEN f.status = 'rolled_back' THEN (SELECT j.job_id FROM restage.job_steps j WHERE j.step = 'rollback'
        AND (j.detail -> 'rolled_back_jobs' ? p.job_id::text OR j.detail ->> 'rolled_back_job' = p.job_id::text)
        ORDER BY j.finished_at DESC LIMIT 1) END AS taken_back_by, b.declaration
FROM etl.load_run_files f JOIN etl.load_runs l USING (load_run_id)
LEFT JOIN restage.run_parents p USING (load_run_id)
LEFT JOIN restage.builds b ON b.load_run_file_id = f.load_run_file_id"""
# Two ways into the same table, each by an index of its own.
_CHAIN = """ WHERE f.load_run_file_id IN (
    WITH roots AS (SELECT coalesce(original_load_run_file_id, load_run_file_id) AS root FROM etl.load_run_files
        WHERE load_run_file_id = ANY(%(files)s))
    SELECT root FROM roots UNION SELECT g.load_run_file_id FROM roots r
        JOIN etl.load_run_files g ON g.original_load_run_file_id = r.root)
ORDER BY f.load_run_file_id"""
