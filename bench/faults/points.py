"""kill -9 at every named point, each with several seeds of data, and ten workers at the same job."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import psycopg

from bench.faults.counting import figures
from bench.faults.fields import JOB, OPERATIONS, Fields, Result, in_child, prepare, small_chunks
from bench.figures import Figure, at_least, at_most
from warehouse.errors import TellableError

SEEDS = 25
PARALLEL = 10
POINTS = {
    "chunk read": "reprocess",
    "fetched": "reprocess",
    "built": "reprocess",
    "publishing": "reprocess",
    "published": "reprocess",
    "raw deleted": "delete raw",
    "rolling back": "rollback",
    **dict.fromkeys(("restore uses", "restore staged", "restore deleted", "restoring", "restored"), "restore"),
    "unpinning": "unpin",
}


def measure(fields: Fields) -> Iterator[Figure]:
    small_chunks()
    found: list[Result] = []
    for point, operation in POINTS.items():
        for seed in range(SEEDS):
            with fields.copy("fault_ready") as ready:
                with fields.house(ready) as house:
                    prepare(house, operation, seed)
                due = fields.unbroken(ready, operation)
                if in_child(partial(_killed_at, fields, ready, operation, point)):
                    raise AssertionError(f"{operation} has come past the point {point!r} alive.")
                found.append(fields.again(ready, operation, due))
        print(f"killed at {point}: {len(found)} rounds so far", file=sys.stderr, flush=True)
    yield at_least(
        "kill_named_points", len(found), len(POINTS) * SEEDS, baseline=f"{SEEDS} seeds a point", unit="rounds"
    )
    yield from figures("named_points", found)
    worst = max(_delivered_often(fields, seed) for seed in range(SEEDS))
    yield at_most("delivery_effects_of_ten_workers", worst, 1, baseline="one worker", unit="count")


def _killed_at(fields: Fields, name: str, operation: str, point: str) -> bool:
    os.environ["RESTAGE_FAILPOINT"] = point
    with fields.house(name) as house:
        OPERATIONS[operation](house, 1)
    return True


def _delivered_often(fields: Fields, seed: int) -> int:
    """The effects of a job that ten workers carry out at once, and an eleventh after them."""
    with fields.copy("fault_ready") as name:
        with fields.house(name) as house:
            prepare(house, "reprocess", seed)
        children = []
        for epoch in range(1, PARALLEL + 1):
            child = os.fork()
            if child == 0:
                with suppress(TellableError, psycopg.Error), fields.house(name) as house:
                    OPERATIONS["reprocess"](house, epoch)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
        with fields.house(name) as house:
            OPERATIONS["reprocess"](house, PARALLEL + 1)
            (effects,) = house.connection.execute(
                "SELECT count(*) FROM restage.effects WHERE job_id = %s", [JOB]
            ).fetchone() or (0,)
            assert house.violations() == 0
            return int(effects)
