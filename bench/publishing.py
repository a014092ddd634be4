"""Publish: only the rows that change, against deleting the file's rows and inserting them anew."""

from collections.abc import Iterator

from psycopg import sql

from bench.figures import Figure, alternate, at_most
from bench.ground import Ground
from bench.transforming import SPACE
from warehouse import build, diff, names, publish
from warehouse.change import Change


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    stg, built, keys = names.staging(extract), SPACE.table(extract, "built"), SPACE.table(extract, "keys")
    for percent, time_limit, wal_limit in ((1, 0.45, 0.15), (100, 1.1, None)):
        connection.execute(sql.SQL("TRUNCATE {}, {}").format(names.raw(extract), stg))
        connection.execute("UPDATE etl.load_run_files SET superseded_at = now()")
        change = ready(ground, every=100 // percent)
        connection.execute("DROP TABLE IF EXISTS restage_build.bench_before")
        connection.execute(sql.SQL("CREATE TABLE restage_build.bench_before AS TABLE {}").format(stg))

        def restore() -> None:
            connection.execute(sql.SQL("TRUNCATE {}").format(stg))
            connection.execute(sql.SQL("INSERT INTO {} TABLE restage_build.bench_before").format(stg))
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(stg))

        def ours(change: Change = change) -> None:
            with connection.transaction():
                found = diff.compute(connection, change, SPACE)
                publish.apply(connection, change, SPACE, found.counts)

        def theirs() -> None:
            with connection.transaction():
                connection.execute("SET LOCAL session_replication_role = replica")  # no upkeep of hashes
                connection.execute(
                    sql.SQL("DELETE FROM {} s USING {} k WHERE {}").format(stg, keys, names.same_key(extract, "k", "s"))
                )
                connection.execute(
                    sql.SQL(
                        "INSERT INTO {} ({columns}, load_run_file_id) SELECT {columns}, load_run_file_id FROM {}"
                    ).format(stg, built, columns=names.staged(extract))
                )

        pair = alternate(connection, ours, theirs, before_ours=restore, before_theirs=restore)
        yield at_most(f"incremental_{percent}_time_ratio", pair.time_ratio, time_limit, baseline="delete and replace")
        if wal_limit:
            yield at_most(
                f"incremental_{percent}_wal_ratio", pair.wal_ratio, wal_limit, baseline="WAL of delete and replace"
            )


def ready(ground: Ground, *, every: int) -> Change:
    """Staging holds a file; a newer file that changes every so many-th of its rows is built."""
    extract, connection = ground.typed, ground.connection
    first = ground.deliver(extract, "first.csv")
    file = ground.attempt(extract, first)
    ground.ingest(extract, first, file)
    connection.execute("UPDATE etl.load_run_files SET status = 'completed' WHERE load_run_file_id = %s", [file])
    change = Change(extract, arrive=(file,))
    build.build(connection, change, SPACE)
    publish.apply(connection, change, SPACE, diff.compute(connection, change, SPACE).counts)
    second = ground.deliver(extract, "second.csv", changed=1, every=every)
    newer = ground.attempt(extract, second)
    ground.ingest(extract, second, newer)
    connection.execute("UPDATE etl.load_run_files SET superseded_at = now() WHERE load_run_file_id = %s", [file])
    connection.execute("UPDATE etl.load_run_files SET status = 'completed' WHERE load_run_file_id = %s", [newer])
    change = Change(extract, retire=(file,), arrive=(newer,))
    build.build(connection, change, SPACE)
    return change
