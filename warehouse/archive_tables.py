"""The archive tables of staging, `stg.<table>_archive`: partitioned by month (UTC) of `archived_at`.

`warehouse apply` makes the tables; their months are made ahead by make_ahead(). Rows of a month that has no partition
fall into the default one: they are not lost, but such a month can be made only after they have been moved.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from warehouse.registry import Extract

MONTHS_AHEAD = 3


def table(extract: Extract) -> sql.Identifier:
    return sql.Identifier("stg", f"{extract.table}_archive")


def default(extract: Extract) -> sql.Identifier:
    return sql.Identifier("stg", f"{extract.table}_archive_default")


def month(extract: Extract, start: datetime) -> sql.Identifier:
    """The partition of the month that begins at `start`."""
    return sql.Identifier("stg", bare_month(extract, start))


def bare_month(extract: Extract, start: datetime) -> str:
    return f"{extract.table}_archive_{start:%Y_%m}"


def months(now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Begin and end of the month of `now` and of the next MONTHS_AHEAD, in UTC."""
    start = month_of(now)
    for _ in range(MONTHS_AHEAD + 1):
        end = following(start)
        yield start, end
        start = end


def month_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def make_ahead(connection: psycopg.Connection, extract: Extract, now: datetime) -> list[str]:
    """Make the default partition, this month's and the next three, where they are not there; the names of those made.

    One statement a partition; it can be run by several at once. Raises psycopg.errors.CheckViolation where the default
    partition holds rows of a month that is to be made.
    """
    made = []
    for name, bounds in [(default(extract), sql.SQL("DEFAULT")), *_bounded(extract, now)]:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"months of {extract.table}"])
            if not _is_there(connection, name):
                connection.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} {}").format(name, table(extract), bounds))
                made.append(name.as_string(connection).replace('"', ""))
    return made


def make_month(connection: psycopg.Connection, extract: Extract, moment: datetime) -> sql.Identifier:
    """Make the partition of the month of `moment` where it is not there; to be called in a transaction.

    Raises psycopg.errors.CheckViolation where the default partition holds rows of that month.
    """
    start = month_of(moment)
    name = month(extract, start)
    if _is_there(connection, name):
        return name
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"months of {extract.table}"])
    if not _is_there(connection, name):
        bounds = sql.SQL("FOR VALUES FROM ({}) TO ({})").format(sql.Literal(start), sql.Literal(following(start)))
        connection.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} {}").format(name, table(extract), bounds))
    return name


def following(start: datetime) -> datetime:
    """The begin of the month after the one that begins at `start`."""
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def _bounded(extract: Extract, now: datetime) -> list[tuple[sql.Identifier, sql.Composable]]:
    bounds = sql.SQL("FOR VALUES FROM ({}) TO ({})")
    return [(month(extract, start), bounds.format(sql.Literal(start), sql.Literal(end))) for start, end in months(now)]


def _is_there(connection: psycopg.Connection, name: sql.Identifier) -> bool:
    found = connection.execute("SELECT to_regclass(%s)", [name.as_string(connection)]).fetchone()
    return bool(found and found[0])
