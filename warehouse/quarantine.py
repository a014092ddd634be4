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


def files() -> sql.SQL:
    """SELECT of the files that are quarantined now, each by the number of its first attempt."""
    return sql.SQL(
        "SELECT coalesce(q.original_load_run_file_id, q.load_run_file_id) FROM etl.load_run_files q"
        " WHERE q.status = 'quarantined' AND q.superseded_at IS NULL"
    )


def close(connection: psycopg.Connection, files: Iterable[int], reason: str) -> None:
    """The new attempts are over, and say why nothing counts of their files."""
    connection.execute(
        "UPDATE etl.load_run_files SET status = %s, rows_read = 0, rows_ingested = 0, rows_rejected = 0,"
        " error_message = %s, finished_at = clock_timestamp(), updated_at = clock_timestamp()"
        " WHERE load_run_file_id = ANY(%s)",
        [STATUS, reason, list(files)],
    )
