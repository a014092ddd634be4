"""Where a job lies in the write-ahead log, so that the warehouse can be recovered to just before it."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from warehouse import journal, single


@dataclass(frozen=True)
class Mark:
    """The first effect of a job: when, and at which position ("": of a job from before positions were noted)."""

    at: datetime
    lsn: str


def restore_point(connection: psycopg.Connection, job_id: UUID) -> None:
    """Name the moment in which the job begins, for whoever recovers by another program; where the role may."""
    with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported):
        connection.execute("SELECT pg_create_restore_point(%s)", [name(job_id)])


def name(job_id: UUID) -> str:
    """The restore point of a job."""
    return f"restage before job {job_id}"


def of_job(connection: psycopg.Connection, job_id: UUID) -> Mark | None:
    """None of a job that has had no effect."""
    if noted := journal.done(connection, job_id, journal.FIRST_EFFECT):
        return Mark(datetime.fromisoformat(noted["at"]), noted["lsn"])
    (at,) = single.row(connection, "SELECT min(at) FROM restage.effects WHERE job_id = %s", [job_id])
    return Mark(at, "") if at else None


def last_archived(connection: psycopg.Connection) -> datetime | None:
    """Up to when the server has handed its WAL over to be kept; None: never, or another server's matter."""
    at: datetime | None = single.row(connection, "SELECT last_archived_time FROM pg_stat_archiver")[0]
    return at
