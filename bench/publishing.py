"""Publish: only the rows that change, against deleting the file's rows and inserting them anew."""

from collections.abc import Iterator

from psycopg import sql

from bench.figures import Figure, alternate, at_most
from bench.ground import SPACE, Ground, keep
from warehouse import build, diff, names, publish
from warehouse.change import Change


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    stg, columns = names.staging(extract), names.staged(extract)
    for percent, time_limit, wal_limit in ((1, 0.45, 0.15), (100, 1.1, None)):
        change = ready(ground, every=100 // percent)

        def restore(*, hashed: bool = True) -> None:
            connection.execute(sql.SQL("TRUNCATE {}").format(stg))
            connection.execute(sql.SQL("INSERT INTO {} TABLE restage_build.bench_before").format(stg))
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(stg))
            ground.keep_hashes(extract, kept=hashed)

        def restore_for_them() -> None:
            restore(hashed=False)

        def ours(change: Change = change) -> None:
            with connection.transaction():
                found = diff.compute(connection, change, SPACE)
                publish.apply(connection, change, SPACE, found.counts)

        def theirs() -> None:
            with connection.transaction():
                connection.execute(
                    sql.SQL("DELETE FROM {} s USING restage_build.bench_after k WHERE {}").format(
                        stg, names.same_key(extract, "k", "s")
                    )
                )
                connection.execute(
                    sql.SQL("INSERT INTO {} ({}, load_run_file_id) TABLE restage_build.bench_after").format(
                        stg, columns
                    )
                )

        pair = alternate(connection, ours, theirs, before_ours=restore, before_theirs=restore_for_them)
        yield at_most(f"incremental_{percent}_time_ratio", pair.time_ratio, time_limit, baseline="delete and replace")
        if wal_limit:
            yield at_most(
                f"incremental_{percent}_wal_ratio", pair.wal_ratio, wal_limit, baseline="WAL of delete and replace"
            )


def ready(ground: Ground, *, every: int) -> Change:
    """Staging holds a file; a newer file that changes every so many-th of its rows is built.

    For the baselines: `bench_before` is staging as it is, `bench_after` the rows that it should hold then, both plain
    tables without hashes to keep.
    """
    extract, connection = ground.typed, ground.connection
    stg = names.staging(extract)
    connection.execute(sql.SQL("TRUNCATE {}, {}").format(names.raw(extract), stg))
    connection.execute("UPDATE etl.load_run_files SET superseded_at = now()")
    file = loaded(ground, "first.csv", changed=0, every=every)
    change = Change(extract, arrive=(file,))
    build.build(connection, change, SPACE)
    with connection.transaction():
        publish.apply(connection, change, SPACE, diff.compute(connection, change, SPACE).counts)
    newer = loaded(ground, "second.csv", changed=1, every=every)
    connection.execute("UPDATE etl.load_run_files SET superseded_at = now() WHERE load_run_file_id = %s", [file])
    connection.execute(sql.SQL("VACUUM ANALYZE {}, {}").format(stg, names.raw(extract)))
    change = Change(extract, retire=(file,), arrive=(newer,))
    build.build(connection, change, SPACE)
    keep(connection, "before", sql.SQL("SELECT * FROM {}").format(stg))
    keep(
        connection,
        "after",
        sql.SQL("SELECT {}, b.load_run_file_id FROM {} k JOIN {} b ON b.ctid = k.place ORDER BY b.record_no").format(
            names.staged(extract, of="b"), SPACE.table(extract, "keys"), SPACE.table(extract, "typed")
        ),
    )
    return change


def loaded(ground: Ground, name: str, *, changed: int, every: int, rows: int | None = None) -> int:
    """A file that has come into raw and counts."""
    address = ground.deliver(ground.typed, name, rows=rows, changed=changed, every=every)
    file = ground.attempt(ground.typed, address)
    ground.ingest(ground.typed, address, file)
    ground.connection.execute("UPDATE etl.load_run_files SET status = 'completed' WHERE load_run_file_id = %s", [file])
    return file
