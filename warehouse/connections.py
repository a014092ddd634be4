"""Connections that write the warehouse: explicit, short-lived, never Django's."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from warehouse.errors import TellableError


class UnreachableWarehouseError(TellableError):
    """The warehouse does not answer."""


@contextmanager
def connect(url: str, *, purpose: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection; `purpose` names it in pg_stat_activity. Raises UnreachableWarehouseError."""
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            application_name=f"restage {purpose}"[:63],
            options="-c timezone=UTC -c work_mem=64MB -c jit=off -c random_page_cost=1.1",
        )
    except psycopg.OperationalError as error:
        raise UnreachableWarehouseError(
            "The warehouse does not answer. Nothing was changed; try again when it is up."
        ) from error
    with connection:
        yield connection
