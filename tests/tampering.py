"""What somebody does who can write the console's tables, past all of its code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


def sql(query: str, *values: Any) -> int:
    """One statement by somebody who can write the console's tables; how many rows it was about."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(query, values)
        return int(cursor.rowcount)


@contextmanager
def unguarded(*tables: str) -> Iterator[None]:
    """As the owner of the tables, who can take their triggers away for a while."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid = ANY (%s::text[]::regclass[])"
            " AND tgenabled = 'A'",
            [list(tables)],
        )
        guards = cursor.fetchall()
        for table, trigger in guards:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        yield
        for table, trigger in guards:
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
