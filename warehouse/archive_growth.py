"""How much was archived on which day and is there."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Day:
    bucket: datetime
    parts: int
    rows: int
    bytes: int


def days(connection: psycopg.Connection, start: datetime, stop: datetime, zone: str) -> list[Day]:
    """From `start` to before `stop`, in days of a zone; those without a part are left out."""
    with connection.cursor(row_factory=class_row(Day)) as cursor:
        return cursor.execute(
            "SELECT date_trunc('day', p.archived_at, %(zone)s) AS bucket, count(*) AS parts,"
            " sum(p.rows)::bigint AS rows, sum(p.bytes)::bigint AS bytes"
            " FROM restage.archive_parts p JOIN restage.archive_sets s USING (set_id)"
            " WHERE s.removed_at IS NULL AND p.archived_at >= %(start)s AND p.archived_at < %(stop)s"
            " GROUP BY 1 ORDER BY 1",
            {"start": start, "stop": stop, "zone": zone},
        ).fetchall()
