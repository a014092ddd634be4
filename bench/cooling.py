"""Cold archive: a set written to sealed files, and read back, against what the server alone does with the same rows."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

from psycopg import sql

from bench import archiving
from bench.figures import Figure, alternate, at_most
from bench.ground import Ground
from warehouse import archive_sets, cold_loading, cold_sealing, hashes, names
from warehouse.archive_sets import Part
from warehouse.cold_manifest import Secrets
from warehouse.cold_sealing import Tier
from warehouse.cold_store import Store
from warehouse.journal import Writer
from warehouse.progress import nobody

PEAK_MB = 350
SECRETS = Secrets.of("measured")
BACK = sql.Identifier("restage_build", "bench_back")


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.wide, ground.connection
    run = archiving.fill(ground, extract, ground.rows)
    set_id = archiving.archive(ground, extract, run, archiving.NOW)
    part = archive_sets.part(connection, set_id, extract.table)
    assert part is not None
    tier = Tier(Store(str(ground.folder / "cold")), SECRETS)
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(archive_sets.lies_in(part)))
    heap = ground.count(f"SELECT pg_relation_size('stg.{extract.table}')")

    def empty() -> None:
        shutil.rmtree(tier.store.url, ignore_errors=True)

    def write() -> None:
        found = archive_sets.of_id(connection, set_id)
        cold_sealing.sealed(connection, extract, tier, found, part, Writer(uuid4(), 1, "bench"), nobody)

    def copy() -> None:
        connection.execute(sql.SQL("COPY ({}) TO '/dev/null'").format(archive_sets.rows_of(part)))

    pair = alternate(connection, write, copy, before_ours=empty)
    yield at_most("archive_cold_vs_copy", pair.time_ratio, 3, baseline="COPY of the same rows to /dev/null")
    size = sum(item.size for item in tier.store.listing("sets"))
    yield at_most("archive_cold_size", size / heap, 0.30, baseline="the rows' heap without indexes")
    empty()
    yield at_most("archive_cold_peak_memory", _peak(ground, part, "write"), PEAK_MB, baseline="none", unit="MB")
    yield at_most("restore_cold_peak_memory", _peak(ground, part, "read"), PEAK_MB, baseline="none", unit="MB")
    yield _restored(ground, tier, part)


def _restored(ground: Ground, tier: Tier, part: Part) -> Figure:
    """Files into a table aside, and the rows from there into staging in place of those that are there."""
    extract, connection = ground.wide, ground.connection
    stg, columns = names.staging(extract), names.columns(part.names)

    def replace(rows: sql.Composable) -> None:
        with connection.transaction():
            hashes.made_by_us(connection)
            connection.execute(sql.SQL("DELETE FROM {}").format(stg))
            connection.execute(sql.SQL("INSERT INTO {} ({}) {}").format(stg, columns, rows))

    def ours() -> None:
        cold_loading.load(connection, tier.store, tier.secrets, part.set_id, part.table_name, into=BACK)
        replace(sql.SQL("SELECT {} FROM {}").format(columns, BACK))

    def ready() -> None:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(BACK))
        connection.execute(sql.SQL("TRUNCATE {}").format(stg))
        replace(archive_sets.rows_of(part))
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(stg))

    pair = alternate(
        connection,
        ours,
        lambda: replace(archive_sets.rows_of(part)),
        before_ours=ready,
        before_theirs=ready,
        repetitions=3,
    )
    return at_most("restore_cold", pair.time_ratio, 2.5, baseline="DELETE and INSERT … SELECT of the hot rows")


def _peak(ground: Ground, part: Part, act: str) -> float:
    """The peak memory of a process of its own."""
    told = json.dumps(
        {"url": ground.url, "store": str(ground.folder / "cold"), "set": str(part.set_id), "table": part.table_name}
    )
    done = subprocess.run([sys.executable, "-m", "bench.one_cooler", act, told], capture_output=True, check=True)
    return float(done.stdout)
