"""Cleanup of a month of archives, against DELETE of the same rows and the VACUUM that it owes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from psycopg import sql

from bench.archiving import archive, fill
from bench.figures import Figure, alternate, at_least, at_most
from bench.ground import Ground
from warehouse import archive_removal, archive_tables
from warehouse.journal import Writer

MONTH, NOW = datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 9, 15, tzinfo=UTC)
REPETITIONS = 3


def measure(ground: Ground) -> Iterator[Figure]:
    run = fill(ground, ground.typed, ground.rows)
    for times in (1, 5):
        yield from _of(ground, run, times)


def _of(ground: Ground, run: UUID, times: int) -> Iterator[Figure]:
    """A month that holds so many archives of all rows."""
    extract, connection = ground.typed, ground.connection
    table = archive_tables.table(extract)
    month = archive_tables.month(extract, MONTH)
    sets: list[UUID] = []

    def shelve() -> None:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(month))
        connection.execute("TRUNCATE restage.archive_sets CASCADE")
        archive_tables.make_ahead(connection, extract, MONTH)
        sets[:] = [archive(ground, extract, run, MONTH.replace(hour=number)) for number in range(times)]
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(month))

    def ours() -> None:
        done = archive_removal.execute(
            connection, ground.registry, Writer(uuid4(), 1, "bench"), sets=sets, now=NOW, older_than=90
        )
        assert (done["removed"], done["ways"]["dropped"]) == (times, 1), done

    def theirs() -> None:
        connection.execute(sql.SQL("DELETE FROM {} WHERE archived_at < %s").format(table), [NOW])
        connection.execute(sql.SQL("VACUUM {}").format(month))

    pair = alternate(connection, theirs, ours, before_ours=shelve, before_theirs=shelve, repetitions=REPETITIONS)
    yield at_least(f"cleanup_vs_delete_{times}m", pair.time_ratio, 12, baseline="DELETE, then VACUUM")
    wal = max(of_ours for _of_theirs, of_ours in pair.wal) / 1e6
    yield at_most(f"cleanup_wal_{times}m", wal, 1, unit="MB", baseline="none")
