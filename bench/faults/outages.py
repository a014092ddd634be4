"""kill -9 of PostgreSQL in the middle of each operation, at a moment drawn by chance; then its recovery."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import psycopg

from bench.faults.counting import figures
from bench.faults.fields import OPERATIONS, Fields, Result, prepare
from bench.figures import Figure, at_least, at_most
from config import embedded
from warehouse.errors import TellableError
from warehouse.registry import Registry

KILLS = 20
SEED = 20261


def measure(registry: Registry, home: Path, folder: Path) -> Iterator[Figure]:
    """On a server of its own: the others keep theirs."""
    dice, back = Random(SEED), 0.0
    found: list[Result] = []
    fields = Fields(embedded.use(home).url("postgres"), registry, folder)
    fields.adopt()
    for operation in OPERATIONS:
        with fields.copy("fault_ready") as ready:
            with fields.house(ready) as house:
                prepare(house, operation)
            due = fields.unbroken(ready, operation)
            usual = _seconds(fields, ready, operation)
            for _kill in range(KILLS):
                with fields.copy("fault_now", ready) as name:
                    seconds = _killed_during(fields, home, name, operation, dice.uniform(0, usual))
                    back = max(back, seconds)
                    found.append(fields.again(name, operation, due))
        print(f"{operation}: server killed {len(found)} times so far", file=sys.stderr, flush=True)
    fields.forget()
    yield at_least("kill_server", len(found), KILLS * len(OPERATIONS), baseline=f"seed {SEED}", unit="rounds")
    yield from figures("server_kill", found)
    yield at_most("recovery_server_seconds", back, 90, baseline="kill -9 to the first answer", unit="seconds")


def _seconds(fields: Fields, ready: str, operation: str) -> float:
    with fields.copy("fault_now", ready) as name, fields.house(name) as house:
        began = time.monotonic()
        OPERATIONS[operation](house, 1)
        return time.monotonic() - began


def _killed_during(fields: Fields, home: Path, name: str, operation: str, after: float) -> float:
    """Kill the server so many seconds after the operation began; how long until it answers again."""
    with fields.house(name) as house:  # a copy's sequences are behind what they have logged until the next checkpoint
        house.connection.execute("CHECKPOINT")
    child = os.fork()
    if child == 0:
        with suppress(TellableError, psycopg.Error), fields.house(name) as house:
            OPERATIONS[operation](house, 1)
        os._exit(0)
    time.sleep(after)
    server = embedded.use(home)
    pid = int((Path(server.data) / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    os.waitpid(child, 0)
    fields.server = embedded.use(home).url("postgres")
    return time.monotonic() - began
