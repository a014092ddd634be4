"""How long archive sets are kept: the rules that people have set, and the days that follow from them."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from warehouse.errors import TellableError

DEFAULT_DAYS = int(os.environ.get("RESTAGE_ARCHIVE_DAYS", "90"))
LEAST_DAYS = int(os.environ.get("RESTAGE_ARCHIVE_LEAST_DAYS", "30"))
MOST_DAYS = 36_500


class TooShortError(TellableError):
    """Archives may not be kept for as short a time as that; or not for as long. Nothing was changed."""


@dataclass(frozen=True)
class Rule:
    """Sets of `table_name` ("": of any) archived for a reason that holds `reason` ("": for any) are kept `days`."""

    table_name: str
    reason: str
    days: int
    why: str
    set_by: str
    set_at: datetime


def rules(connection: psycopg.Connection) -> list[Rule]:
    """The most specific first."""
    with connection.cursor(row_factory=class_row(Rule)) as cursor:
        return cursor.execute(
            "SELECT table_name, reason, days, why, set_by, set_at FROM restage.archive_retention"
            " ORDER BY (table_name <> '') DESC, table_name, length(reason) DESC, reason"
        ).fetchall()


def days(found: Iterable[Rule], tables: Iterable[str], reason: str) -> int:
    """For how long a set of these tables is kept: as long as the table that is kept longest.

    Of the rules that fit a table counts the most specific: of the table and the reason, of the reason, of the table.
    """
    known = list(found)
    return max((_of_table(known, table, reason) for table in tables), default=DEFAULT_DAYS)


def _of_table(found: list[Rule], table: str, reason: str) -> int:
    fitting = [rule for rule in found if rule.table_name in ("", table) and rule.reason.casefold() in reason.casefold()]
    best = max(
        fitting,
        key=lambda rule: (bool(rule.reason) + bool(rule.table_name), len(rule.reason), rule.days),
        default=None,
    )
    return max(best.days, LEAST_DAYS) if best else max(DEFAULT_DAYS, LEAST_DAYS)


def demand(number: int) -> int:
    """Raises TooShortError."""
    if number < LEAST_DAYS:
        raise TooShortError(
            f"{number:,} days are too short: every archive is kept for {LEAST_DAYS:,} days at least."
            " Nothing was changed."
        )
    if number > MOST_DAYS:
        raise TooShortError(f"{number:,} days are more than the {MOST_DAYS:,} that can be set. Nothing was changed.")
    return number


def put(connection: psycopg.Connection, rule: Rule) -> int | None:
    """Set a rule; the days of the one that it replaces. Sets that are there keep their expiry. Raises TooShortError."""
    demand(rule.days)
    former = connection.execute(
        "SELECT days FROM restage.archive_retention WHERE table_name = %s AND reason = %s FOR UPDATE",
        [rule.table_name, rule.reason],
    ).fetchone()
    connection.execute(
        "INSERT INTO restage.archive_retention VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (table_name, reason)"
        " DO UPDATE SET days = excluded.days, why = excluded.why, set_by = excluded.set_by, set_at = excluded.set_at",
        [rule.table_name, rule.reason, rule.days, rule.why, rule.set_by, rule.set_at],
    )
    return former[0] if former else None


def drop(connection: psycopg.Connection, table: str, reason: str) -> int | None:
    """Remove a rule; its days, None where there was none."""
    gone = connection.execute(
        "DELETE FROM restage.archive_retention WHERE table_name = %s AND reason = %s RETURNING days", [table, reason]
    ).fetchone()
    return gone[0] if gone else None
