"""What only the console's own database can tell: which transactions are over, whose turn it is, who may write.

Plain SQL, and not in the room of the warehouse: it is about the console's database, of which the trail is a part, and
Django's queries have no words for snapshots, advisory locks and privileges.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True)
class Horizon:
    """Every transaction below `open_from` is over; none from `coming` on has begun. Of the whole server."""

    open_from: int
    coming: int


def horizon() -> Horizon:
    low, high = _row("SELECT pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text FROM pg_current_snapshot() s")
    return Horizon(int(low), int(high))


def alone() -> bool:
    """Whether nobody else seals; held to the end of the transaction."""
    return bool(_row("SELECT pg_try_advisory_xact_lock(hashtextextended('restage: sealing the trail', 0))")[0])


def in_turn(what: str) -> None:
    """Wait until nobody else is at the same; held to the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"restage: {what}"])


def may_add() -> bool:
    """Whether the console's role may add to the trail."""
    return bool(_row("SELECT has_table_privilege('audit_event', 'INSERT')")[0])


def may_seal() -> bool:
    """Whether the console's role may seal the trail."""
    return bool(_row("SELECT has_table_privilege('audit_seal', 'INSERT')")[0])


def _row(query: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        found: tuple[Any, ...] = cursor.fetchone()
        return found
