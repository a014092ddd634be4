"""A reader of staging: its point queries while a publish replaces every row, against an idle server."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

from psycopg import sql

from bench.figures import Figure, at_most
from bench.ground import SPACE, Ground
from bench.publishing import ready
from warehouse import diff, names, publish

REPETITIONS = 5


def measure(ground: Ground) -> Iterator[Figure]:
    extract, connection = ground.typed, ground.connection
    change, stg = ready(ground, every=1), names.staging(extract)
    seconds = 0.0

    def publishing() -> None:
        nonlocal seconds
        began = time.perf_counter()
        with connection.transaction():
            publish.apply(connection, change, SPACE, diff.compute(connection, change, SPACE).counts)
        seconds = time.perf_counter() - began

    ratios = []
    for _turn in range(REPETITIONS):
        connection.execute(sql.SQL("TRUNCATE {}").format(stg))
        connection.execute(sql.SQL("INSERT INTO {} TABLE restage_build.bench_before").format(stg))
        connection.execute(sql.SQL("VACUUM ANALYZE {}").format(stg))
        connection.execute("CHECKPOINT")
        during = _p95(ground, publishing)
        ratios.append(during / _p95(ground, lambda: time.sleep(seconds)))
    yield at_most("reader_p95_ratio", median(ratios), 1.4, baseline="the same queries for as long on an idle server")


def _p95(ground: Ground, act: Callable[[], None]) -> float:
    """In milliseconds, of the queries that a process of its own asks while `act` goes on."""
    told = json.dumps({"url": ground.url, "rows": ground.rows})
    command = [sys.executable, "-m", "bench.one_reader", told]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin and reader.stdout
        assert reader.stdout.readline() == "ready\n"
        act()
        reader.stdin.close()
        return float(reader.stdout.readline())
