"""What a new rule of retention would change about the sets that are there, and the change of all of them in one act.

Only sets that are kept for as long as the rules say follow a new one: those that were given a time of their own, when
they were archived or since, keep it. Nothing is kept for less than the minimum.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from warehouse import archive_expiry, archive_holds, archive_retention, journal
from warehouse.archive_retention import Rule
from warehouse.failpoints import failpoint
from warehouse.journal import Writer

CHANGED = "apply retention"
NEAR = timedelta(days=1)  # between plan and archive of a set lie moments, or its approval


@dataclass(frozen=True)
class Affected:
    """A set whose expiry the rule would move."""

    set_id: UUID
    tables: list[str]
    rows: int
    former: datetime
    expires_at: datetime

    @property
    def cut(self) -> bool:
        return self.expires_at < self.former

    def as_json(self) -> dict[str, Any]:
        return {
            "set": str(self.set_id),
            "key": f"archive set {self.set_id}",
            "extract": ", ".join(self.tables),
            "rows": self.rows,
            "former": self.former.isoformat(),
            "expires_at": self.expires_at.isoformat(),
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "Affected":
        former, expires_at = (datetime.fromisoformat(said[name]) for name in ("former", "expires_at"))
        return cls(UUID(said["set"]), said["extract"].split(", "), said["rows"], former, expires_at)


@dataclass(frozen=True)
class _Set:
    set_id: UUID
    reason: str
    archived_at: datetime
    expires_at: datetime
    tables: list[str]
    rows: int
    by_hand: bool


def affected(connection: psycopg.Connection, rule: Rule) -> list[Affected]:
    """The sets that the rule would move, those that expire first at the top. Raises TooShortError."""
    archive_retention.demand(rule.days)
    now = archive_retention.rules(connection)
    then = [rule, *(one for one in now if (one.table_name, one.reason) != (rule.table_name, rule.reason))]
    found = []
    for one in _there(connection):
        due = one.archived_at + timedelta(days=archive_retention.days(now, one.tables, one.reason))
        moved = one.archived_at + timedelta(days=archive_retention.days(then, one.tables, one.reason))
        follows = not one.by_hand and abs(one.expires_at - due) < NEAR
        if follows and moved != due:
            found.append(Affected(one.set_id, one.tables, one.rows, one.expires_at, moved))
    return found


def cut_tables(found: Iterable[Affected]) -> dict[str, dict[str, int]]:
    """Table → how many sets that hold rows of it expire sooner."""
    sets = Counter(table for one in found if one.cut for table in one.tables)
    return {table: {"sets": sets[table]} for table in sorted(sets)}


def apply(connection: psycopg.Connection, writer: Writer, rule: Rule, chosen: Iterable[Affected]) -> dict[str, Any]:
    """Set the rule and move these sets, in one transaction; the outcome, also when it had been done before.

    A set that was removed, or whose expiry is not what it was, stays as it is. Raises TooShortError, LostFenceError.
    """
    journal.raise_fence(connection, writer)
    if outcome := journal.done(connection, writer.job_id, CHANGED):
        return outcome
    with connection.transaction():
        journal.hold_fence(connection, writer)
        former = archive_retention.put(connection, rule)
        moved = [one for one in sorted(chosen, key=lambda one: one.set_id) if _move(connection, writer, rule, one)]
        outcome = {
            "tables": cut_tables(moved),
            "former": former,
            "days": rule.days,
            "sets": len(moved),
            "cut": sum(one.cut for one in moved),
        }
        journal.record(connection, writer, CHANGED, outcome)
        journal.effect(connection, writer, CHANGED, outcome)
        failpoint("retention applying")
    return outcome


def _move(connection: psycopg.Connection, writer: Writer, rule: Rule, one: Affected) -> bool:
    found = archive_holds.lock(connection, one.set_id)
    if found.removed_at is not None or found.expires_at != one.former:
        return False
    until = max(one.expires_at, archive_expiry.earliest(found))
    archive_expiry.change(connection, found, until, f"a rule of {rule.days:,} days: {rule.why}", writer.actor)
    return True


def _there(connection: psycopg.Connection) -> list[_Set]:
    with connection.cursor(row_factory=class_row(_Set)) as cursor:
        return cursor.execute(
            "SELECT s.set_id, s.reason, s.archived_at, s.expires_at, array_agg(p.table_name ORDER BY p.table_name)"
            " AS tables, sum(p.rows)::bigint AS rows, EXISTS (SELECT FROM restage.archive_expiries e"
            " WHERE e.set_id = s.set_id AND e.why NOT LIKE 'a rule of %') AS by_hand"
            " FROM restage.archive_sets s JOIN restage.archive_parts p USING (set_id) WHERE s.removed_at IS NULL"
            " GROUP BY s.set_id ORDER BY s.expires_at, s.set_id"
        ).fetchall()
