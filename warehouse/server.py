"""What a PostgreSQL server says of itself to anybody who may connect."""

from typing import Any, Protocol


class Asked(Protocol):
    """A cursor of either database."""

    def execute(self, query: str, /) -> Any: ...

    def fetchone(self) -> Any: ...


def told(cursor: Asked) -> tuple[str, int, int]:
    """(version, connections to this database, connections that the server takes)."""
    cursor.execute(
        "SELECT current_setting('server_version'), (SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database()), current_setting('max_connections')::integer"
    )
    version, connections, most = cursor.fetchone()
    return version, connections, most
