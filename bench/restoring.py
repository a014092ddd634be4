"""A restore into staging, against deleting the keys and inserting the archived rows in one transaction.

Every row of the run is there with other values (somebody has spoilt them all), so that both ways write all of it. Ours
classifies every key, keeps what it replaces in a safety set, folds what is in doubt, and proves the result.
"""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

from psycopg import sql

from bench.figures import Figure, alternate, at_most
from bench.ground import Ground
from bench.publishing import loaded
from warehouse import archive_tables, archiving, build, builds, diff, names, publish, restoring, single
from warehouse.build import Workspace
from warehouse.canonical import NOTHING
from warehouse.change import Change
from warehouse.journal import Writer
from warehouse.registry import Extract
from warehouse.restoring import Wish


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    stg, archive = names.staging(extract), archive_tables.table(extract)
    kept = _archived(ground, extract)
    columns = [c.name for c in (*extract.staged, *extract.staging_only)] + ["load_run_file_id", "load_ts"]
    rows = sql.SQL("SELECT {} FROM {} WHERE archive_reason = 'bench'").format(names.columns(columns), archive)

    def spoil() -> None:
        connection.execute(sql.SQL("TRUNCATE {}").format(stg))
        ground.keep_hashes(extract, kept=False)
        connection.execute(sql.SQL("INSERT INTO {} TABLE restage_build.bench_spoilt").format(stg))
        ground.keep_hashes(extract, kept=True)
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(stg))
        connection.execute(sql.SQL("DELETE FROM {} WHERE archive_reason <> 'bench'").format(archive))
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(archive))

    def ours() -> None:
        writer = Writer(uuid4(), 1, "bench")
        outcome = restoring.execute(connection, ground.registry, Wish(kept), writer, expected=None)
        assert outcome["proven"] == outcome["tables"][extract.table]["changed"] > 0

    def theirs() -> None:
        with connection.transaction():
            connection.execute(
                sql.SQL("DELETE FROM {} s USING ({}) k WHERE {}").format(stg, rows, names.same_key(extract, "k", "s"))
            )
            connection.execute(sql.SQL("INSERT INTO {} ({}) {}").format(stg, names.columns(columns), rows))

    def without_hashes() -> None:
        spoil()
        ground.keep_hashes(extract, kept=False)

    def with_hashes() -> None:
        ground.keep_hashes(extract, kept=True)
        spoil()

    pair = alternate(connection, ours, theirs, before_ours=with_hashes, before_theirs=without_hashes)
    yield at_most("restore_hot", pair.time_ratio, 1.5, baseline="DELETE and INSERT … SELECT in one transaction")


def _archived(ground: Ground, extract: Extract) -> UUID:
    """Load a file, archive what it owns, and spoil a column of every row in `bench_spoilt`."""
    connection, stg = ground.connection, names.staging(extract)
    file = loaded(ground, "archived.csv", changed=0, every=1)
    change, space = Change(extract, arrive=(file,)), Workspace("bench")
    build.build(connection, change, space)
    with connection.transaction():
        publish.apply(connection, change, space, diff.compute(connection, change, space).counts)
        builds.note_read(connection, extract, {file: NOTHING})
    space.clear(connection, extract)
    (run,) = single.row(connection, "SELECT load_run_id FROM etl.load_run_files WHERE load_run_file_id = %s", [file])
    with connection.transaction():
        made = archiving.archive(
            *(connection, ground.registry, run, [extract.table]),
            reason="bench",
            expires_at=single.now(connection) + timedelta(days=90),
            writer=Writer(uuid4(), 1, "bench"),
        )
    connection.execute(sql.SQL("UPDATE {} SET occupation = 'Spoilt'").format(stg))
    connection.execute(sql.SQL("CREATE TABLE restage_build.bench_spoilt AS SELECT * FROM {}").format(stg))
    return made.set_id
