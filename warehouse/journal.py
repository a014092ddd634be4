"""What a job has done, written in the warehouse in the transaction that did it, and who may still write for it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from warehouse.connections import name_of
from warehouse.errors import TellableError

FIRST_EFFECT = "first effect"


class LostFenceError(TellableError):
    """Another worker has taken this job over; this one must stop and has changed nothing."""


def tag_of(job_id: UUID) -> str:
    return job_id.hex[:12]


def session_purpose(job_id: UUID) -> str:
    """What the sessions that work on a job are for, as connections.connect() takes it."""
    return f"job {job_id}"


@dataclass(frozen=True)
class Writer:
    """On whose behalf the warehouse is written: a job, the epoch of its claim, and the person who asked."""

    job_id: UUID
    epoch: int
    actor: str

    @property
    def tag(self) -> str:
        """The mark of the job's tables in restage_build."""
        return tag_of(self.job_id)


def raise_fence(connection: psycopg.Connection, writer: Writer) -> None:
    """Shut out every worker with an older epoch. Raises LostFenceError when this one is the older.

    An older worker that hangs in a transaction would hold the fence: the sessions of its claim are ended, which undoes
    what they had not committed.
    """
    newer = connection.execute(
        "SELECT FROM restage.job_fences WHERE job_id = %s AND epoch > %s", [writer.job_id, writer.epoch]
    ).fetchone()
    if newer is None:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database() AND pid <> pg_backend_pid()",
            [name_of(session_purpose(writer.job_id))],
        )
    held = connection.execute(
        "INSERT INTO restage.job_fences VALUES (%(job)s, %(epoch)s) ON CONFLICT (job_id) DO UPDATE"
        " SET epoch = excluded.epoch WHERE job_fences.epoch <= excluded.epoch RETURNING epoch",
        {"job": writer.job_id, "epoch": writer.epoch},
    ).fetchone()
    if held is None:
        raise LostFenceError("Another worker has taken this job over.")


def hold_fence(connection: psycopg.Connection, writer: Writer) -> None:
    """Inside a transaction: make sure that nobody takes the job over until it ends. Raises LostFenceError."""
    found = connection.execute(
        "SELECT epoch FROM restage.job_fences WHERE job_id = %s FOR UPDATE", [writer.job_id]
    ).fetchone()
    if found != (writer.epoch,):
        raise LostFenceError("Another worker has taken this job over.")


def done(connection: psycopg.Connection, job_id: UUID, step: str) -> dict[str, Any] | None:
    """The detail of a finished step, or None."""
    found = connection.execute(
        "SELECT detail FROM restage.job_steps WHERE job_id = %s AND step = %s", [job_id, step]
    ).fetchone()
    return found[0] if found else None


def record(connection: psycopg.Connection, writer: Writer, step: str, detail: dict[str, Any]) -> None:
    """Note that a step is done; one that can be done again replaces its former note."""
    connection.execute(
        "INSERT INTO restage.job_steps (job_id, step, epoch, detail) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (job_id, step) DO UPDATE SET epoch = excluded.epoch, finished_at = now(),"
        " detail = excluded.detail",
        [writer.job_id, step, writer.epoch, Jsonb(detail)],
    )


def effect(connection: psycopg.Connection, writer: Writer, action: str, detail: dict[str, Any]) -> None:
    """The warehouse's own record of what was done to it, in the transaction that did it.

    With it goes the position of the job's first effect in the write-ahead log: all that was committed before it, and
    nothing of the job, is what a recovery to just before the job gives (marks.py).
    """
    connection.execute(
        "INSERT INTO restage.job_steps (job_id, step, epoch, detail) VALUES (%s, %s, %s,"
        " jsonb_build_object('lsn', pg_current_wal_insert_lsn(), 'at', clock_timestamp())) ON CONFLICT DO NOTHING",
        [writer.job_id, FIRST_EFFECT, writer.epoch],
    )
    connection.execute(
        "INSERT INTO restage.effects (job_id, action, actor, detail) VALUES (%s, %s, %s, %s)",
        [writer.job_id, action, writer.actor, Jsonb(detail)],
    )
