"""Transform: raw text → typed rows in staging and rejects with their reasons."""

from collections.abc import Iterator

from psycopg import sql

from bench.figures import Figure, alternate, at_most
from bench.ground import Ground
from warehouse import build, diff, names, publish
from warehouse.build import Workspace
from warehouse.change import Change

SPACE = Workspace("bench")


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    connection.execute(sql.SQL("TRUNCATE {}, {}").format(names.raw(extract), names.staging(extract)))
    address = ground.deliver(extract, "transform.csv")
    file = ground.attempt(extract, address)
    ground.ingest(extract, address, file)
    connection.execute("UPDATE etl.load_run_files SET status = 'completed'")
    connection.execute(sql.SQL("ANALYZE {}").format(names.raw(extract)))
    change = Change(extract, arrive=(file,))

    def ours() -> None:
        with connection.transaction():
            build.build(connection, change, SPACE)
            publish.apply(connection, change, SPACE, diff.classify(connection, change, SPACE))
            publish.note_rejections(connection, change, SPACE)

    def theirs() -> None:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no upkeep of hashes
            connection.execute(
                sql.SQL("INSERT INTO {} TABLE restage_build.bench_typed_rows").format(names.staging(extract))
            )

    def empty() -> None:
        connection.execute(sql.SQL("TRUNCATE {}, restage.rejections").format(names.staging(extract)))

    ours()
    connection.execute("DROP TABLE IF EXISTS restage_build.bench_typed_rows")
    connection.execute(
        sql.SQL("CREATE TABLE restage_build.bench_typed_rows AS TABLE {}").format(names.staging(extract))
    )
    pair = alternate(
        connection,
        ours,
        theirs,
        before_ours=empty,
        before_theirs=empty,
    )
    limit = 1.3 if connection.info.server_version >= 160000 else 2.2
    yield at_most("transform_time_ratio", pair.time_ratio, limit, baseline="INSERT of already typed rows, same indexes")
