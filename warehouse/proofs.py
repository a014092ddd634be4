"""How the rungs of the recovery ladder did: every drill and every recovery, with its time and its result."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse.journal import Writer

BEFORE_IMAGE, ARCHIVE, COLD, RAW = "before-image", "archive set", "cold archive set", "superseded raw"
POINT_IN_TIME = "point-in-time copy"

# `holds`: what came back is what it should be; `compared`: count, checksum and sample of both sides, no values
TABLE = """proof_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, rung text NOT NULL, drill boolean NOT NULL,
        job_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp(), seconds double precision NOT NULL,
        holds boolean NOT NULL, rows bigint NOT NULL, told text NOT NULL, compared jsonb NOT NULL DEFAULT '{}',
        UNIQUE (job_id, rung)"""


@dataclass(frozen=True)
class Proof:
    """One use of a rung. `seconds`: until the rows were there and compared; `told`: what was tried, in words."""

    rung: str
    drill: bool
    job_id: UUID
    at: datetime
    seconds: float
    holds: bool
    rows: int
    told: str
    compared: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "job_id": str(self.job_id), "at": self.at.isoformat()}


def keep(
    connection: psycopg.Connection,
    writer: Writer,
    rung: str,
    *,
    drill: bool,
    seconds: float,
    holds: bool,
    rows: int,
    told: str,
    compared: Mapping[str, Any],
) -> None:
    """One a job and rung: the later one stands."""
    connection.execute(
        "INSERT INTO restage.proofs (rung, drill, job_id, seconds, holds, rows, told, compared)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (job_id, rung) DO UPDATE SET at = excluded.at,"
        " seconds = excluded.seconds, holds = excluded.holds, rows = excluded.rows, told = excluded.told,"
        " compared = excluded.compared",
        [rung, drill, writer.job_id, seconds, holds, rows, told, Jsonb(dict(compared))],
    )


def newest(connection: psycopg.Connection, most: int) -> list[Proof]:
    with connection.cursor(row_factory=class_row(Proof)) as cursor:
        return cursor.execute(f"{_PROOFS} ORDER BY at DESC LIMIT %s", [most]).fetchall()


def last(connection: psycopg.Connection, rung: str) -> Proof | None:
    """The newest proof of a rung, whether it held or not."""
    with connection.cursor(row_factory=class_row(Proof)) as cursor:
        return cursor.execute(f"{_PROOFS} WHERE rung = %s ORDER BY at DESC LIMIT 1", [rung]).fetchone()


def last_held(connection: psycopg.Connection, rung: str) -> Proof | None:
    """The newest proof of a rung that held."""
    with connection.cursor(row_factory=class_row(Proof)) as cursor:
        return cursor.execute(f"{_PROOFS} WHERE rung = %s AND holds ORDER BY at DESC LIMIT 1", [rung]).fetchone()


def last_drill_held(connection: psycopg.Connection, rung: str) -> Proof | None:
    with connection.cursor(row_factory=class_row(Proof)) as cursor:
        return cursor.execute(
            f"{_PROOFS} WHERE rung = %s AND drill AND holds ORDER BY at DESC LIMIT 1", [rung]
        ).fetchone()


def of_job(connection: psycopg.Connection, job_id: UUID) -> list[Proof]:
    with connection.cursor(row_factory=class_row(Proof)) as cursor:
        return cursor.execute(f"{_PROOFS} WHERE job_id = %s ORDER BY rung", [job_id]).fetchall()


_PROOFS = "SELECT rung, drill, job_id, at, seconds, holds, rows, told, compared FROM restage.proofs"
