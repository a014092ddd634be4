"""Files of which nothing counts: an attempt without records takes the place of the one that loaded them.

Its status is `quarantined`, so that neither the fold nor discovery, freshness or the detector looks at it. Taking back
the job that made it (undoing.py) lets the former attempt count again; reading the file anew replaces it.
"""

from collections.abc import Iterable

import psycopg
from psycopg import sql

from warehouse.attempts import Attempt, Staged
from warehouse.ingest import Intake

STATUS = "quarantined"


def staged(attempt: Attempt) -> Staged:
    """The attempt without records that is to replace this one."""
    number = attempt.load_run_file_id
    return Staged(number, attempt.load_run_id, -number, None, Intake())


def was_before() -> sql.Composed:
    """Whether the file of the attempt `f` was quarantined after it, and that was not taken back: nothing that the
    attempt brought is to count, whatever was delivered in its place since."""
    return sql.SQL(
        "EXISTS (SELECT FROM etl.load_run_files q WHERE q.status = {} AND q.load_run_file_id > f.load_run_file_id"
        " AND coalesce(q.original_load_run_file_id, q.load_run_file_id)"
        " = coalesce(f.original_load_run_file_id, f.load_run_file_id))"
    ).format(sql.Literal(STATUS))


def close(connection: psycopg.Connection, files: Iterable[int], reason: str) -> None:
    """The new attempts are over, and say why nothing counts of their files."""
    connection.execute(
        "UPDATE etl.load_run_files SET status = %s, rows_read = 0, rows_ingested = 0, rows_rejected = 0,"
        " error_message = %s, finished_at = clock_timestamp(), updated_at = clock_timestamp()"
        " WHERE load_run_file_id = ANY(%s)",
        [STATUS, reason, list(files)],
    )
