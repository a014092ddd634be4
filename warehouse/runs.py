"""The rows of etl.load_runs, load_run_files and staging_runs that Restage itself writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from warehouse.diff import Counts
from warehouse.ingest import Intake
from warehouse.sources import Address, Content


@dataclass(frozen=True)
class Arrival:
    """A file as it came: where, what kind, of whom, extracted when, and its content."""

    address: Address
    extract_type: str
    extracted: datetime
    per_org_id: str
    practice_id: str
    content: Content


def file_hash(address: Address, content: Content) -> str:
    """What makes two deliveries the same one: name, size and content."""
    return f"{content.sha256}:{content.size}:{address.key}"


def begin(connection: psycopg.Connection, triggered_by: str, notes: str | None = None) -> UUID:
    (load_run_id,) = connection.execute(
        "INSERT INTO etl.load_runs (status, triggered_by, notes) VALUES ('running', %s, %s) RETURNING load_run_id",
        [triggered_by, notes],
    ).fetchone() or (None,)
    assert load_run_id  # noqa: S101  INSERT … RETURNING gives a row or raises
    return UUID(str(load_run_id))


def add_file(connection: psycopg.Connection, load_run_id: UUID, arrival: Arrival) -> int | None:
    """A file of the run, in processing. None where an attempt at the same content counts, or is quarantined."""
    added = connection.execute(
        "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,"
        " extract_type, per_org_id, practice_id, started_at, status, content_sha256, content_bytes)"
        " VALUES (%s, %s, %s, '', %s, %s, %s, %s, %s, now(), 'processing', %s, %s)"
        " ON CONFLICT DO NOTHING RETURNING load_run_file_id",
        [
            load_run_id,
            arrival.address.folder,
            arrival.address.key,
            file_hash(arrival.address, arrival.content),
            arrival.extracted.isoformat(),
            arrival.extract_type,
            arrival.per_org_id,
            arrival.practice_id,
            arrival.content.sha256,
            arrival.content.size,
        ],
    ).fetchone()
    return int(added[0]) if added else None


def complete_file(connection: psycopg.Connection, load_run_file_id: int, intake: Intake) -> None:
    connection.execute(
        "UPDATE etl.load_run_files SET status = 'completed', rows_read = %s, rows_ingested = %s, rows_rejected = %s,"
        " finished_at = clock_timestamp(), updated_at = clock_timestamp(), error_message = NULL"
        " WHERE load_run_file_id = %s",
        [intake.read, intake.ingested, intake.rejected, load_run_file_id],
    )


def fail_file(connection: psycopg.Connection, load_run_file_id: int, reason: str) -> None:
    connection.execute(
        "UPDATE etl.load_run_files SET status = 'failed', error_message = %s, finished_at = clock_timestamp(),"
        " updated_at = clock_timestamp() WHERE load_run_file_id = %s",
        [reason, load_run_file_id],
    )


def finish(connection: psycopg.Connection, load_run_id: UUID) -> None:
    """Sum the run up from its files. It is completed if any file is, or is quarantined, and failed if none."""
    connection.execute(
        "UPDATE etl.load_runs r SET completed_at = clock_timestamp(), updated_at = clock_timestamp(),"
        " status = CASE WHEN f.completed > 0 THEN 'completed' ELSE 'failed' END, total_files_processed = f.completed,"
        " total_rows_ingested = f.ingested, total_rows_rejected = f.rejected"
        " FROM (SELECT count(*) FILTER (WHERE status IN ('completed', 'quarantined')) AS completed,"
        " coalesce(sum(rows_ingested), 0) AS ingested, coalesce(sum(rows_rejected), 0) AS rejected"
        " FROM etl.load_run_files WHERE load_run_id = %(run)s) f WHERE r.load_run_id = %(run)s",
        {"run": load_run_id},
    )


def note_staging(
    connection: psycopg.Connection, load_run_id: UUID, extract_type: str, table: str, found: Iterable[Counts]
) -> None:
    """The transform of one extract of the run: every record read is transformed, rejected or deduplicated."""
    counts = list(found)
    read, rejected = sum(c.records for c in counts), sum(c.rejected for c in counts)
    deduplicated = sum(c.deduplicated for c in counts)
    connection.execute(
        "INSERT INTO etl.staging_runs (load_run_id, extract_type, source_table, target_table, completed_at, status,"
        " total_rows_read, total_rows_transformed, total_rows_rejected, total_rows_deduplicated, successful_batches)"
        " VALUES (%s, %s, %s, %s, clock_timestamp(), 'completed', %s, %s, %s, %s, %s)",
        [
            load_run_id,
            extract_type,
            f"raw.{table}",
            f"stg.{table}",
            read,
            read - rejected - deduplicated,
            rejected,
            deduplicated,
            len(counts),
        ],
    )


def roll_back(connection: psycopg.Connection, files: Iterable[int]) -> list[UUID]:
    """Note in their load runs that these attempts are rolled back; the runs of which nothing counts any more."""
    chosen = list(files)
    connection.execute(
        "UPDATE etl.staging_runs s SET status = 'rolled_back', updated_at = now() FROM etl.load_run_files f"
        " WHERE f.load_run_file_id = ANY(%s) AND s.load_run_id = f.load_run_id AND s.extract_type = f.extract_type"
        " AND s.status = 'completed'",
        [chosen],
    )
    whole = connection.execute(
        "UPDATE etl.load_runs r SET status = 'rolled_back', updated_at = now()"
        " WHERE load_run_id IN (SELECT load_run_id FROM etl.load_run_files WHERE load_run_file_id = ANY(%s))"
        " AND NOT EXISTS (SELECT FROM etl.load_run_files f WHERE f.load_run_id = r.load_run_id"
        " AND f.status <> 'rolled_back') RETURNING load_run_id",
        [chosen],
    ).fetchall()
    return [run for (run,) in whole]
