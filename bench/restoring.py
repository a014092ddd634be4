"""A restore into staging, against deleting the keys and inserting the archived rows in one transaction.

Every row of the run is there with other values (somebody has spoilt them all), so that both ways write all of it. Ours
classifies every key, keeps what it replaces in a safety set, folds what is in doubt, and proves the result.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from bench.figures import Figure, alternate, at_most
from bench.ground import Ground
from bench.publishing import loaded
from warehouse import archive_tables, build, builds, diff, drift, names, publish, restoring
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
        connection.execute("SET session_replication_role = replica")
        connection.execute(sql.SQL("INSERT INTO {} TABLE restage_build.bench_spoilt").format(stg))
        connection.execute("RESET session_replication_role")
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(stg))
        connection.execute(sql.SQL("DELETE FROM {} WHERE archive_reason <> 'bench'").format(archive))
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(archive))

    def ours() -> None:
        writer = Writer(uuid4(), 1, "bench")
        outcome = restoring.execute(connection, ground.registry, Wish(kept), writer, expected=None)
        assert outcome["proven"] == outcome["tables"][extract.table]["changed"] > 0

    def theirs() -> None:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no upkeep of hashes
            connection.execute(
                sql.SQL("DELETE FROM {} s USING ({}) k WHERE {}").format(stg, rows, names.same_key(extract, "k", "s"))
            )
            connection.execute(sql.SQL("INSERT INTO {} ({}) {}").format(stg, names.columns(columns), rows))

    pair = alternate(connection, ours, theirs, before_ours=spoil, before_theirs=spoil)
    yield at_most("restore_hot", pair.time_ratio, 1.5, baseline="DELETE and INSERT … SELECT in one transaction")


def _archived(ground: Ground, extract: Extract) -> UUID:
    """Load a file, archive what it owns, and spoil a column of every row in `bench_spoilt`."""
    connection, stg, set_id = ground.connection, names.staging(extract), uuid4()
    file = loaded(ground, "archived.csv", changed=0, every=1)
    change, space = Change(extract, arrive=(file,)), Workspace("bench")
    build.build(connection, change, space)
    with connection.transaction():
        publish.apply(connection, change, space, diff.classify(connection, change, space))
        builds.note_read(connection, extract, {file: NOTHING})
    space.clear(connection, extract)
    archive_tables.make_ahead(connection, extract, datetime.now(UTC))
    _keep(ground, extract, set_id, file)
    connection.execute(sql.SQL("UPDATE {} SET occupation = 'Spoilt'").format(stg))
    connection.execute(sql.SQL("CREATE TABLE restage_build.bench_spoilt AS SELECT * FROM {}").format(stg))
    return set_id


def _keep(ground: Ground, extract: Extract, set_id: UUID, file: int) -> None:
    connection = ground.connection
    archive, stg = archive_tables.table(extract), names.staging(extract)
    kept = ["row_hash", *(c.name for c in (*extract.staged, *extract.staging_only)), "load_run_file_id", "load_ts"]
    targets = drift.targets_of(connection, stg).values()
    with connection.transaction():
        (run,) = connection.execute(
            "INSERT INTO restage.archive_sets (set_id, load_run_id, kind, reason, archived_by, archived_at, expires_at)"
            " SELECT %s, load_run_id, 'archive', 'bench', 'bench', now(), now() + interval '90 days'"
            " FROM etl.load_run_files WHERE load_run_file_id = %s RETURNING load_run_id",
            [set_id, file],
        ).fetchone() or (None,)
        connection.execute(
            sql.SQL(
                "INSERT INTO {archive} ({kept}, archived_at, archived_load_run_id, archive_reason)"
                " SELECT {kept}, now(), {run}, 'bench' FROM {stg}"
            ).format(archive=archive, kept=names.columns(kept), run=sql.Literal(run), stg=stg)
        )
        connection.execute(
            sql.SQL(
                "INSERT INTO restage.archive_parts (set_id, table_name, load_run_id, archive_version, archived_at,"
                " rows, bytes, checksum, columns, fingerprint) SELECT {set}, {table}, {run}, 1, now(), count(*), 0,"
                " sum(row_hash::numeric + hash_record_extended(ROW({own}), 0)), {columns}, '' FROM {archive}"
            ).format(
                set=sql.Literal(set_id),
                table=sql.Literal(extract.table),
                run=sql.Literal(run),
                own=names.columns(["load_run_file_id", "load_ts", *(c.name for c in extract.staging_only)]),
                columns=sql.Literal(Jsonb([{"name": t.name, "type": t.type, "not_null": t.not_null} for t in targets])),
                archive=archive,
            )
        )
