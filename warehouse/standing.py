"""How a load run stands, for each of its extracts: what the rules of triggers judge."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from warehouse.discovery import SILENT_FOR

LOOKED_BACK = timedelta(days=30)


@dataclass(frozen=True)
class Standing:
    """One extract of one run, live attempts only. `made_by`: the job that made the run, if Restage did.

    `read` and `refused` count as discovery does: records of completed files, refused on reading or by the transform.
    """

    load_run_id: UUID
    extract: str
    status: str
    failed: int
    read: int
    refused: int
    made_by: UUID | None

    @property
    def over(self) -> bool:
        return self.status != "running"

    @property
    def share_refused(self) -> float:
        """A fraction of the records read; of none read, any refused is all of them."""
        if not self.refused:
            return 0.0
        return self.refused / self.read if self.read else 1.0


@dataclass(frozen=True)
class Silent:
    """A run that goes and has said nothing for SILENT_FOR; `since`: its last word."""

    load_run_id: UUID
    extract: str
    since: datetime


def of_runs(connection: psycopg.Connection, load_runs: Iterable[UUID]) -> list[Standing]:
    """Each extract of these runs that has a live attempt."""
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(
            "SELECT f.load_run_id, f.extract_type AS extract, r.status,"
            " count(*) FILTER (WHERE f.status = 'failed')::integer AS failed,"
            " coalesce(sum(f.rows_read) FILTER (WHERE f.status = 'completed'), 0)::bigint AS read,"
            " (coalesce(sum(f.rows_rejected) FILTER (WHERE f.status = 'completed'), 0) + coalesce((SELECT"
            " sum(s.total_rows_rejected) FROM etl.staging_runs s WHERE s.load_run_id = f.load_run_id"
            " AND s.extract_type = f.extract_type AND s.status = 'completed'), 0))::bigint AS refused,"
            " (SELECT p.job_id FROM restage.run_parents p WHERE p.load_run_id = f.load_run_id) AS made_by"
            " FROM etl.load_run_files f JOIN etl.load_runs r USING (load_run_id)"
            " WHERE f.load_run_id = ANY(%s) AND f.superseded_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2",
            [list(load_runs)],
        ).fetchall()


def silent(connection: psycopg.Connection) -> list[Silent]:
    """Runs of the last 30 days that go and have been silent for too long, with their extracts that are not done."""
    with connection.cursor(row_factory=class_row(Silent)) as cursor:
        return cursor.execute(
            "SELECT * FROM (SELECT r.load_run_id, f.extract_type AS extract, greatest(r.updated_at,"
            " (SELECT max(a.updated_at) FROM etl.load_run_files a WHERE a.load_run_id = r.load_run_id)) AS since"
            " FROM etl.load_runs r JOIN etl.load_run_files f USING (load_run_id)"
            " WHERE r.status = 'running' AND r.created_at > now() - %s AND f.status IN ('pending', 'processing')"
            " AND f.superseded_at IS NULL GROUP BY 1, 2) s WHERE since < now() - %s ORDER BY 1, 2",
            [LOOKED_BACK, SILENT_FOR],
        ).fetchall()


def runs_with_raw(connection: psycopg.Connection, extract: str) -> list[UUID]:
    """The runs of which raw holds live records of this extract, in file order."""
    found = connection.execute(
        "SELECT load_run_id FROM etl.load_run_files WHERE extract_type = %s AND status = 'completed'"
        " AND superseded_at IS NULL GROUP BY 1 ORDER BY min(load_run_file_id)",
        [extract],
    ).fetchall()
    return [run for (run,) in found]
