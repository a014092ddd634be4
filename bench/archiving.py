"""Hot archive: the rows of a run copied into the archive table, read again and entered in the catalogue, against a
logged copy of the same rows into a table without an index, and against the way of an ORM."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from psycopg import sql

from bench.figures import Act, Figure, alternate, at_least, at_most
from bench.ground import EXTRACTED, Ground
from warehouse import archive_tables, archiving, names, runs
from warehouse.journal import Writer
from warehouse.registry import Extract
from warehouse.runs import Arrival
from warehouse.sources import Address, Content

NOW = datetime(2026, 11, 15, tzinfo=UTC)
ORM_ROWS = 10_000


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    run = fill(ground, extract, ground.rows)
    stg, copy = names.staging(extract), sql.Identifier("restage_build", "bench_copy")

    marks = sql.SQL(
        "{}::timestamptz AS archived_at, {}::uuid AS archived_load_run_id, 'measured' AS archive_reason,"
        " 1 AS archive_version"
    ).format(sql.Literal(NOW), sql.Literal(run))

    def ours() -> None:
        archive(ground, extract, run, NOW)

    def theirs() -> None:
        connection.execute(sql.SQL("CREATE TABLE {} AS SELECT s.*, {} FROM {} s").format(copy, marks, stg))

    def ready() -> None:
        empty()
        with connection.transaction():
            archive_tables.make_month(connection, extract, NOW)

    def empty() -> None:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(copy))
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(archive_tables.month(extract, NOW)))

    pair = alternate(connection, ours, theirs, before_ours=ready, before_theirs=ready)
    yield at_most(
        "archive_hot_vs_ctas", pair.time_ratio, 1.35, baseline="logged CREATE TABLE AS of the same rows, no index"
    )
    first = min(ORM_ROWS, ground.rows)
    with _copier(ground, extract, first) as by_orm:
        pair = alternate(connection, by_orm, ours, before_ours=ready, before_theirs=ready, repetitions=3)
    yield at_least(
        "archive_hot_vs_orm",
        pair.time_ratio * ground.rows / first,
        25,
        baseline=f"Django models: iterator and bulk_create(1000), {first:,} of the rows and scaled by row",
    )


def archive(ground: Ground, extract: Extract, run: UUID, now: datetime) -> UUID:
    """Archive what the run owns as of `now`; the set's id."""
    with ground.connection.transaction():
        return archiving.archive(
            ground.connection,
            ground.registry,
            run,
            [extract.table],
            reason="measured",
            expires_at=now + timedelta(days=90),
            writer=Writer(uuid4(), 1, "bench"),
            now=now,
        ).set_id


def fill(ground: Ground, extract: Extract, rows: int) -> UUID:
    """A run that owns so many rows of invented patients in staging, two of three columns filled."""
    connection = ground.connection
    run = runs.begin(connection, "bench")
    content = Content("0" * 64, rows)
    arrival = Arrival(
        Address(str(ground.folder), f"{extract.table}-{rows}"), extract.name, EXTRACTED, "1", "1", content
    )
    file = runs.add_file(connection, run, arrival)
    connection.execute(
        "UPDATE etl.load_run_files SET status = 'completed', rows_ingested = %s WHERE load_run_file_id = %s",
        [rows, file],
    )
    connection.execute(sql.SQL("TRUNCATE {}").format(names.staging(extract)))
    connection.execute(
        sql.SQL(
            "INSERT INTO {stg} ({columns}, load_run_file_id) SELECT {values}, {file} FROM generate_series(1, {rows}) n"
        ).format(
            stg=names.staging(extract),
            columns=names.staged(extract),
            values=sql.SQL(", ").join(_values(extract)),
            file=sql.Literal(file),
            rows=sql.Literal(rows),
        )
    )
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(names.staging(extract)))
    return run


def _values(extract: Extract) -> Iterator[sql.Composable]:
    kinds = {
        "text": "'Saltwind Road'",
        "boolean": "true",
        "integer": "42",
        "bigint": "4242",
        "date": "date '2020-05-17'",
    }
    for position, column in enumerate(extract.staged):
        if column.name == "patient_id":
            yield sql.SQL("n::text")
        elif column.name in extract.natural_key:
            yield sql.SQL("'1'")
        elif column.name == "family_name":
            yield sql.SQL("'Tidewell' || n % 7919")
        elif column.required or position % 3:
            default = "12.50" if column.type.startswith("numeric") else "timestamp '2026-10-30 08:15:27.083'"
            yield sql.SQL(kinds.get(column.type, default))
        else:
            yield sql.SQL("NULL")


@contextmanager
def _copier(ground: Ground, extract: Extract, rows: int) -> Iterator[Act]:
    asked = json.dumps({"url": ground.url, "extract": extract.name, "rows": rows})
    command = [sys.executable, "-m", "bench.one_copier", asked]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as copier:
        assert copier.stdin and copier.stdout and copier.stdout.readline() == "ready\n"

        def copy() -> None:
            assert copier.stdin and copier.stdout
            copier.stdin.write("copy\n")
            copier.stdin.flush()
            assert copier.stdout.readline() == "done\n"

        yield copy
        copier.stdin.close()
