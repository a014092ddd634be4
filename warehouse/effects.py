"""What was done to the warehouse, as the warehouse itself has written it down with each act."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

LATE = 10_000  # numbers: an effect is not committed when so many later ones have been


@dataclass(frozen=True)
class Effect:
    effect_id: int
    job_id: UUID | None
    action: str
    actor: str
    at: datetime
    detail: dict[str, Any]


def since(connection: psycopg.Connection, newest: int, *, known: set[int], most: int = 500) -> list[Effect]:
    """The oldest `most` effects that are not `known`, from shortly before `newest` on: one of a long transaction is
    committed after others with greater numbers."""
    with connection.cursor(row_factory=class_row(Effect)) as cursor:
        return cursor.execute(
            "SELECT effect_id, job_id, action, actor, at, detail FROM restage.effects"
            " WHERE effect_id > %s AND effect_id <> ALL(%s) ORDER BY effect_id LIMIT %s",
            [newest - LATE, list(known), most],
        ).fetchall()
