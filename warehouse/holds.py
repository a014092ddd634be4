"""Holds: while one stands on a thing, nothing removes the thing.

A hold locks its thing, and so does a removal (`FOR UPDATE`): the two can never both succeed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse.errors import TellableError


class NoSuchHoldError(TellableError):
    """There is no such hold that stands. Nothing was changed."""


@dataclass(frozen=True)
class Hold:
    hold_id: int
    reason: str
    placed_by: str
    placed_at: datetime
    released_at: datetime | None
    released_by: str | None
    released_why: str | None


@dataclass(frozen=True)
class Holds:
    """The holds on one kind of thing, in a table of restage whose `column` names the thing.

    `lock` keeps every other hold and removal of a thing off until the transaction ends; `demand` does so too, and
    raises where nothing is there to be held. `noted`: (job, detail) that the effect of a hold has of its thing.
    """

    table: str
    column: str
    lock: Callable[[psycopg.Connection, UUID], object]
    demand: Callable[[psycopg.Connection, UUID], None]
    noted: Callable[[UUID], tuple[UUID | None, dict[str, Any]]]

    def place(self, connection: psycopg.Connection, thing: UUID, *, reason: str, actor: str) -> int:
        """The hold's number. Raises what lock() and demand() raise."""
        with connection.transaction():
            self.demand(connection, thing)
            (hold,) = connection.execute(
                self._sql("INSERT INTO {table} ({column}, reason, placed_by) VALUES (%s, %s, %s) RETURNING hold_id"),
                [thing, reason, actor],
            ).fetchone() or (0,)
            self._note(connection, thing, "place hold", actor, {"hold": hold, "reason": reason})
        return int(hold)

    def release(self, connection: psycopg.Connection, thing: UUID, hold_id: int, *, why: str, actor: str) -> None:
        """Raises NoSuchHoldError, and what lock() raises."""
        with connection.transaction():
            self.lock(connection, thing)
            released = connection.execute(
                self._sql(
                    "UPDATE {table} SET released_at = now(), released_by = %s, released_why = %s"
                    " WHERE hold_id = %s AND {column} = %s AND released_at IS NULL"
                ),
                [actor, why, hold_id, thing],
            ).rowcount
            if not released:
                raise NoSuchHoldError("This hold does not stand any more. Nothing was changed.")
            self._note(connection, thing, "release hold", actor, {"hold": hold_id, "why": why})

    def of(self, connection: psycopg.Connection, thing: UUID) -> list[Hold]:
        """All holds on a thing, those that stand first."""
        with connection.cursor(row_factory=class_row(Hold)) as cursor:
            return cursor.execute(
                self._sql(
                    "SELECT hold_id, reason, placed_by, placed_at, released_at, released_by, released_why"
                    " FROM {table} WHERE {column} = %s ORDER BY released_at DESC NULLS FIRST, hold_id"
                ),
                [thing],
            ).fetchall()

    def standing(self, connection: psycopg.Connection) -> list[tuple[UUID, Hold]]:
        """Every hold that stands, with its thing, oldest first."""
        found = connection.execute(
            self._sql(
                "SELECT {column}, hold_id, reason, placed_by, placed_at, released_at, released_by, released_why"
                " FROM {table} WHERE released_at IS NULL ORDER BY placed_at, hold_id"
            )
        ).fetchall()
        return [(thing, Hold(*hold)) for thing, *hold in found]

    def stand(self, connection: psycopg.Connection, thing: UUID) -> bool:
        """Whether any does."""
        return any(hold.released_at is None for hold in self.of(connection, thing))

    def _sql(self, query: LiteralString) -> sql.Composed:
        return sql.SQL(query).format(table=sql.Identifier("restage", self.table), column=sql.Identifier(self.column))

    def _note(
        self, connection: psycopg.Connection, thing: UUID, action: str, actor: str, detail: dict[str, Any]
    ) -> None:
        job, about = self.noted(thing)
        connection.execute(
            "INSERT INTO restage.effects (job_id, action, actor, detail) VALUES (%s, %s, %s, %s)",
            [job, action, actor, Jsonb({**about, **detail})],
        )
