"""What load runs measured, extract by extract: how long, how many records, how many of them refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
from psycopg.rows import class_row

MOST = 200_000  # rows of one answer; the newest


@dataclass(frozen=True)
class RunFigure:
    """One extract ("" where the run has no file yet) of one load run. `refused`: on reading or by the transform."""

    load_run_id: UUID
    extract: str
    status: str
    started: datetime
    ended: datetime | None
    read: int
    refused: int
    files: int
    failed: int

    @property
    def over(self) -> bool:
        return self.status != "running"


def since(connection: psycopg.Connection, moment: datetime) -> list[RunFigure]:
    """Of every run that was made since, or still goes; in order of their beginning. Cancelled runs are left out."""
    with connection.cursor(row_factory=class_row(RunFigure)) as cursor:
        found = cursor.execute(
            "SELECT r.load_run_id, coalesce(f.extract_type, '') AS extract, r.status, r.started_at AS started,"
            " CASE WHEN r.status <> 'running' THEN coalesce(r.completed_at, r.updated_at) END AS ended,"
            " coalesce(sum(f.rows_read) FILTER (WHERE f.status <> 'failed'), 0)::bigint AS read,"
            " (coalesce(sum(f.rows_rejected) FILTER (WHERE f.status <> 'failed'), 0) + coalesce((SELECT"
            " sum(s.total_rows_rejected) FROM etl.staging_runs s WHERE s.load_run_id = r.load_run_id"
            " AND s.extract_type = f.extract_type AND s.status = 'completed'), 0))::bigint AS refused,"
            " count(f.load_run_file_id)::integer AS files,"
            " (count(*) FILTER (WHERE f.status = 'failed'))::integer AS failed"
            " FROM etl.load_runs r LEFT JOIN etl.load_run_files f USING (load_run_id)"
            " WHERE (r.status = 'running' OR r.created_at >= %s) AND r.status <> 'cancelled'"
            " GROUP BY r.load_run_id, f.extract_type ORDER BY r.started_at DESC, 2 LIMIT %s",
            [moment, MOST],
        ).fetchall()
    return found[::-1]


def last_success(connection: psycopg.Connection, extracts: Sequence[str]) -> dict[str, datetime]:
    """When a file of each of these extracts was last loaded; none of what never was."""
    found = connection.execute(
        "SELECT e.name, f.at FROM unnest(%s::text[]) e (name), LATERAL (SELECT coalesce(finished_at, updated_at) AS at"
        " FROM etl.load_run_files WHERE extract_type = e.name AND status = 'completed'"
        " ORDER BY load_run_file_id DESC LIMIT 1) f",
        [list(extracts)],
    ).fetchall()
    return {str(name): at for name, at in found}
