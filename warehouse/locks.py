"""Who may write a staging table now. Always taken in the registry's order, inside a transaction."""

from collections.abc import Iterable

import psycopg
from psycopg import sql

from warehouse import names
from warehouse.errors import PassingError
from warehouse.registry import Extract

# The advisory locks of Restage: (this number, hash of the table's name).
NAMESPACE = 0x7E57


class BusyError(PassingError):
    """Another session holds what is needed; the message says which table. Nothing was changed."""


def tables(connection: psycopg.Connection, extracts: Iterable[Extract], *, wait_ms: int) -> None:
    """Keep every other writer off these staging tables until the transaction ends; readers go on.

    The advisory lock orders the jobs of Restage among themselves; the table lock holds off loaders that know nothing
    of it. Raises BusyError after `wait_ms` milliseconds at one table.
    """
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{wait_ms}ms")))
    for extract in extracts:
        try:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [NAMESPACE, extract.table])
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names.staging(extract)))
        except psycopg.errors.LockNotAvailable as error:
            raise BusyError(
                f"stg.{extract.table} was being written by another session for {wait_ms / 1000:g} s."
                " Nothing was changed; try again when it has finished."
            ) from error
    connection.execute("SET LOCAL lock_timeout = 0")
