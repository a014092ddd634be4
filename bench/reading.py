"""Ingest: a delivered UTF-16 file into raw, against COPY of the same rows in text form by the server itself."""

import json
import subprocess
import sys
from collections.abc import Iterator

from psycopg import sql

from bench.figures import Figure, alternate, at_most
from bench.ground import Ground
from warehouse import names

PEAK_MB = 200


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.wide, ground.connection
    address = ground.deliver(extract, "ingest.csv")
    file, planned = ground.attempt(extract, address), address.content()
    ground.ingest(extract, address, file, planned)
    text = ground.folder / "ingest.txt"
    text.touch(mode=0o666)
    text.chmod(0o666)
    connection.execute(sql.SQL("COPY {} TO {}").format(names.raw(extract), sql.Literal(str(text))))

    def empty() -> None:
        connection.execute(sql.SQL("TRUNCATE {}").format(names.raw(extract)))

    pair = alternate(
        connection,
        lambda: ground.ingest(extract, address, file, planned),
        lambda: connection.execute(sql.SQL("COPY {} FROM {}").format(names.raw(extract), sql.Literal(str(text)))),
        before_ours=empty,
        before_theirs=empty,
    )
    yield at_most("ingest_time_ratio", pair.time_ratio, 1.6, baseline="server-side COPY FROM of the same rows as text")
    small, large = _peak_mb(ground, ground.rows // 10), _peak_mb(ground, ground.rows)
    yield at_most("ingest_peak_memory", large, PEAK_MB, baseline="none", unit="MB")
    yield at_most("ingest_memory_growth", large / small, 1.1, baseline="peak memory at a tenth of the rows")


def _peak_mb(ground: Ground, rows: int) -> float:
    """The peak memory of a process of its own that reads a file of so many rows."""
    address = ground.deliver(ground.wide, f"memory{rows}.csv", rows=rows)
    file = ground.attempt(ground.wide, address)
    told = json.dumps({"url": ground.url, "folder": address.folder, "key": address.key, "file": file})
    done = subprocess.run([sys.executable, "-m", "bench.one_ingest", told], capture_output=True, check=True)
    (ground.folder / address.key).unlink()
    return float(done.stdout)
