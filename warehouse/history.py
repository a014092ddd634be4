"""What has become of a load run: what was refused in it, what it was made from, what was made from it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row


def rejection_causes(connection: psycopg.Connection, load_run_id: UUID) -> list[dict[str, Any]]:
    """Refused records of the run by cause: extract, stage, column, reason, value class, records, first record."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT r.extract_type, r.stage, r.column_name, r.reason, r.severity, r.value_class, count(*) AS records,"
            " min(coalesce(r.line_no, r.record_no)) AS first_at"
            " FROM restage.rejections r JOIN etl.load_run_files f USING (load_run_file_id) WHERE f.load_run_id = %s"
            " GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY r.severity, count(*) DESC LIMIT 100",
            [load_run_id],
        ).fetchall()


def family(connection: psycopg.Connection, load_run_id: UUID) -> tuple[UUID | None, list[UUID]]:
    """The run that this one reprocessed, and those that reprocessed this one, oldest first."""
    parent = connection.execute(
        "SELECT parent_load_run_id FROM restage.run_parents WHERE load_run_id = %s", [load_run_id]
    ).fetchone()
    children = connection.execute(
        "SELECT p.load_run_id FROM restage.run_parents p JOIN etl.load_runs r USING (load_run_id)"
        " WHERE p.parent_load_run_id = %s ORDER BY r.created_at",
        [load_run_id],
    ).fetchall()
    return (parent[0] if parent else None), [child for (child,) in children]


def heads(connection: psycopg.Connection, load_run_id: UUID) -> list[UUID]:
    """The runs whose attempts count now in place of those of this run that were replaced, newest first.

    Of a chain original → r1 → r2 that is r2; after a rollback it is the run that counts again.
    """
    return [
        run
        for (run,) in connection.execute(
            "WITH RECURSIVE chain (file) AS (SELECT superseded_by_load_run_file_id FROM etl.load_run_files"
            " WHERE load_run_id = %(run)s AND superseded_by_load_run_file_id IS NOT NULL"
            " UNION SELECT f.superseded_by_load_run_file_id FROM chain JOIN etl.load_run_files f"
            " ON f.load_run_file_id = chain.file WHERE f.superseded_by_load_run_file_id IS NOT NULL)"
            " SELECT r.load_run_id FROM chain JOIN etl.load_run_files f ON f.load_run_file_id = chain.file"
            " JOIN etl.load_runs r USING (load_run_id) WHERE f.superseded_at IS NULL"
            " GROUP BY r.load_run_id ORDER BY r.created_at DESC",
            {"run": load_run_id},
        ).fetchall()
    ]


def going(
    connection: psycopg.Connection, load_runs: Sequence[UUID], *, silent_for: timedelta
) -> list[tuple[UUID, bool]]:
    """Each of the runs that exists, with whether it is running and has said something within `silent_for`."""
    return connection.execute(
        "SELECT r.load_run_id, r.status = 'running' AND greatest(r.updated_at, max(f.updated_at)) > now() - %s"
        " FROM etl.load_runs r LEFT JOIN etl.load_run_files f USING (load_run_id) WHERE r.load_run_id = ANY(%s)"
        " GROUP BY r.load_run_id",
        [silent_for, list(load_runs)],
    ).fetchall()


def judged_before(connection: psycopg.Connection, files: Sequence[int]) -> tuple[int | None, int | None]:
    """How many records these attempts held and how many of them were refused; None where one was never loaded."""
    return connection.execute(
        "SELECT CASE WHEN bool_and(status = 'completed') THEN sum(rows_read)::integer END,"
        " CASE WHEN bool_and(status = 'completed') THEN (SELECT count(DISTINCT (load_run_file_id, record_no))::integer"
        " FROM restage.rejections WHERE load_run_file_id = ANY(%(files)s) AND severity = 'reject') END"
        " FROM etl.load_run_files WHERE load_run_file_id = ANY(%(files)s)",
        {"files": list(files)},
    ).fetchone() or (None, None)


def made_by(connection: psycopg.Connection, load_runs: Iterable[UUID]) -> dict[UUID, UUID]:
    """Load run → the job that made it; only runs that a job made."""
    return dict(
        connection.execute(
            "SELECT load_run_id, job_id FROM restage.run_parents WHERE load_run_id = ANY(%s)", [list(load_runs)]
        ).fetchall()
    )
