"""Holds on the before-image of a job: while one stands, neither its expiry nor the budget removes it."""

from uuid import UUID

import psycopg

from warehouse.errors import TellableError
from warehouse.holds import Holds

TABLE = """hold_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id uuid NOT NULL, reason text NOT NULL,
        placed_by text NOT NULL, placed_at timestamptz NOT NULL DEFAULT now(), released_at timestamptz,
        released_by text, released_why text"""


class NoImageError(TellableError):
    """The job keeps nothing (any more) of what it replaced: there is nothing to hold. Nothing was changed."""


def lock(connection: psycopg.Connection, job_id: UUID) -> bool:
    """Inside a transaction: keep every other hold and removal off until it ends; whether anything is there."""
    found = connection.execute(
        "SELECT FROM restage.before_image_sets WHERE job_id = %s AND purged_at IS NULL ORDER BY table_name FOR UPDATE",
        [job_id],
    )
    return found.fetchone() is not None


def _demand(connection: psycopg.Connection, job_id: UUID) -> None:
    """Raises NoImageError."""
    if not lock(connection, job_id):
        raise NoImageError(f"Job {job_id} keeps no before-image any more. Nothing was held.")


HOLDS = Holds("image_holds", "job_id", lock, _demand, lambda job_id: (job_id, {}))
