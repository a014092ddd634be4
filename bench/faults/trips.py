"""Breaks an operation at every round trip to the server: N = 1, 2, 3 … until it comes through untouched.

So no boundary is forgotten. A kill is SIGKILL of the process; a cut loses the connection, before the request or after
its reply was sent. FAULT_STEP=3 takes every third N only.
"""

import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import psycopg

from bench.faults.counting import figures
from bench.faults.fields import OPERATIONS, Fields, Result, in_child, prepare
from bench.figures import Figure, at_least

MOST = 2_000
SIDES = ("before", "after")


class Breaking(psycopg.Connection[Any]):
    """A connection that breaks at its `at`-th round trip."""

    at, mode, trips = 0, "", 0

    def wait(self, *args: Any, **options: Any) -> Any:
        self.trips += 1
        if self.trips != self.at:
            return super().wait(*args, **options)
        if self.mode.startswith("kill"):
            if self.mode == "kill_after":
                super().wait(*args, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode == "cut_after":
            super().wait(*args, **options)
        self.pgconn.finish()
        raise psycopg.OperationalError("the connection was cut")


def measure(fields: Fields) -> Iterator[Figure]:
    step = int(os.environ.get("FAULT_STEP", "1"))
    for mode in ("kill", "cut"):
        found: list[Result] = []
        for operation in OPERATIONS:
            with fields.copy("fault_ready") as ready:
                with fields.house(ready) as house:
                    prepare(house, operation)
                for side in SIDES:
                    found += _rounds(fields, ready, operation, f"{mode}_{side}", step)
                    print(f"{operation}, {mode} {side}: {len(found)} rounds so far", file=sys.stderr, flush=True)
        yield at_least(f"kill_trips_by_{mode}", len(found), 100, baseline="every round trip", unit="rounds")
        yield from figures(f"trip_{mode}", found)


def _rounds(fields: Fields, ready: str, operation: str, mode: str, step: int) -> Iterator[Result]:
    due = fields.unbroken(ready, operation)
    for at in range(1, MOST, step):
        with fields.copy("fault_now", ready) as name:
            untouched = in_child(partial(_broken, fields, name, operation, at, mode))
            result = fields.again(name, operation, due)
        if untouched:
            return
        yield result
    raise AssertionError(f"{operation} needs more than {MOST} round trips.")


def _broken(fields: Fields, name: str, operation: str, at: int, mode: str) -> bool:
    """Whether it came through."""
    with fields.house(name, Breaking) as house:
        connection = house.connection
        assert isinstance(connection, Breaking)
        connection.at, connection.mode, connection.trips = at, mode, 0
        OPERATIONS[operation](house, 1)
        return connection.trips < at
