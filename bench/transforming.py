"""Transform: raw text → typed rows in staging and rejects with their reasons."""

from collections.abc import Iterator

from psycopg import sql

from bench import looping
from bench.figures import Figure, alternate, at_least, at_most
from bench.ground import SPACE, Ground, keep
from warehouse import build, diff, names, publish
from warehouse.change import Change

ORM_ROWS = 20_000


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
            publish.apply(connection, change, SPACE, diff.compute(connection, change, SPACE).counts)
            publish.note_rejections(connection, change, SPACE)

    def theirs() -> None:
        with connection.transaction():
            connection.execute(
                sql.SQL("INSERT INTO {} ({}, load_run_file_id) TABLE restage_build.bench_typed").format(
                    names.staging(extract), names.staged(extract)
                )
            )

    def empty(*, hashed: bool = True) -> None:
        connection.execute(sql.SQL("TRUNCATE {}, restage.rejections").format(names.staging(extract)))
        ground.keep_hashes(extract, kept=hashed)

    def empty_of_theirs() -> None:
        empty(hashed=False)

    ours()
    keep(
        connection,
        "typed",
        sql.SQL("SELECT {}, load_run_file_id FROM {} WHERE row_hash IS NOT NULL ORDER BY record_no").format(
            names.staged(extract), SPACE.table(extract, "typed")
        ),
    )
    pair = alternate(
        connection,
        ours,
        theirs,
        before_ours=empty,
        before_theirs=empty_of_theirs,
    )
    limit = 1.3 if connection.info.server_version >= 160000 else 2.2
    yield at_most("transform_time_ratio", pair.time_ratio, limit, baseline="INSERT of already typed rows, same indexes")
    first = min(ORM_ROWS, ground.rows)
    pair = alternate(
        connection,
        lambda: looping.transform(ground.url, extract, file, first),
        ours,
        before_ours=empty_of_theirs,
        before_theirs=empty,
    )
    yield at_least(
        "transform_against_orm_ratio",
        pair.time_ratio * ground.rows / first,
        10,
        baseline=f"Django models in a loop, bulk_create(1000), on {first:,} of the rows and scaled by row",
    )
