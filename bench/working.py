"""Two workers at once: a file of one extract each, read again and published, against one after the other."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from psycopg import sql

from bench.figures import Figure, alternate, at_least
from bench.ground import Ground
from warehouse import names

MOST_ROWS = 250_000


class Worker:
    """A process that reprocesses one file when it is told to; each time as a new attempt."""

    def __init__(self, asked: IO[str], told: IO[str], file: int) -> None:
        self.asked, self.told, self.file = asked, told, file
        assert self.told.readline() == "ready\n"

    def start(self) -> None:
        self.asked.write(f"{self.file}\n")
        self.asked.flush()

    def wait(self) -> None:
        self.file = int(self.told.readline())


def measure(ground: Ground) -> Iterator[Figure]:
    connection, rows = ground.connection, min(MOST_ROWS, ground.rows)
    tables = [
        table for extract in (ground.typed, ground.twin) for table in (names.raw(extract), names.staging(extract))
    ]
    with ExitStack() as running:
        workers = []
        for extract in (ground.typed, ground.twin):
            address = ground.deliver(extract, f"{extract.table}.csv", rows=rows)
            file = ground.attempt(extract, address)
            connection.execute("UPDATE etl.load_run_files SET status = 'completed'")
            workers.append(running.enter_context(_worker(ground.url, file)))

        def empty() -> None:
            connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(tables)))

        def in_turn() -> None:
            for worker in workers:
                worker.start()
                worker.wait()

        def at_once() -> None:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.wait()

        pair = alternate(connection, in_turn, at_once, before_ours=empty, before_theirs=empty)
    yield at_least(
        "parallel_two_extracts_ratio", pair.time_ratio, 1.7, baseline=f"one after the other, {rows:,} rows each"
    )


@contextmanager
def _worker(url: str, file: int) -> Iterator[Worker]:
    command = [sys.executable, "-m", "bench.one_worker", url]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    with process:
        yield Worker(process.stdin, process.stdout, file)
        process.stdin.close()
