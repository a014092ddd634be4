"""Connections that write the warehouse: explicit, short-lived, never Django's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from warehouse.errors import PassingError

# A statement that takes longer is stopped by the server; a session that forgets its transaction is ended by it.
MOST_STATEMENT_MINUTES = 60
MOST_IDLE_MINUTES = 10
# Statistics are taken of tables aside only, of a tenth of the usual number of rows: they choose between joins.
# Who has waited for a lock must see what was committed meanwhile, whatever the database is set to: read committed.
_SETTINGS = (
    "-c default_transaction_isolation=read\\ committed"
    " -c timezone=UTC -c work_mem=64MB -c jit=off -c random_page_cost=1.1 -c default_statistics_target=10"
    f" -c statement_timeout={MOST_STATEMENT_MINUTES}min"
    f" -c idle_in_transaction_session_timeout={MOST_IDLE_MINUTES}min"
)
# A server that has gone without a word is noticed within 30 s.
_KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class UnreachableWarehouseError(PassingError):
    """The warehouse does not answer."""


def name_of(purpose: str) -> str:
    """How a session for that purpose appears in pg_stat_activity."""
    return f"restage {purpose}"[:63]


@contextmanager
def snapshot(connection: psycopg.Connection) -> Iterator[None]:
    """Everything that is read in here is as of one moment; nothing can be written. Needs an autocommit connection."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def connect(url: str, *, purpose: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection; `purpose` names it in pg_stat_activity. Raises UnreachableWarehouseError."""
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            application_name=name_of(purpose),
            options=_SETTINGS,
            **_KEEPALIVES,
        )
    except psycopg.OperationalError as error:
        raise UnreachableWarehouseError(
            "The warehouse does not answer. Nothing was changed; try again when it is up."
        ) from error
    with connection:
        yield connection
