"""Reading the one row of a query that always has one: an aggregate, a SELECT without FROM, INSERT … RETURNING."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql

Query = LiteralString | sql.SQL | sql.Composed


def row(
    connection: psycopg.Connection, query: Query, values: Sequence[Any] | Mapping[str, Any] | None = None
) -> tuple[Any, ...]:
    """Raises LookupError where it has none after all."""
    found: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
    if found is None:
        raise LookupError("A query that always has a row had none.")
    return found


def now(connection: psycopg.Connection) -> datetime:
    """The warehouse's own time: of the transaction, where there is one."""
    moment: datetime = row(connection, "SELECT now()")[0]
    return moment
