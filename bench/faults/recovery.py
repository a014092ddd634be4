"""How long a job stands still when its worker is killed: the real processes, with the lease as it is shipped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg

from bench.faults.fields import Fields, prepare, state
from bench.figures import Figure, at_most
from config import databases
from tests.house import House
from tests.stack import MANAGE, Stack, eventually

POINTS = ("chunk read", "built", "publishing", "published")
OVER = ("succeeded", "partial", "failed", "quarantined", "cancelled")


def measure(fields: Fields, extracts: Path) -> Iterator[Figure]:
    """`extracts`: the folder of the declarations that the workers need."""
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda point: _killed_at(fields, extracts, point), POINTS))
    yield at_most(
        "recovery_worker_seconds", max(s for s, _ok in found), 90, baseline="kill -9 to the job's end", unit="seconds"
    )
    wrong = sum(not ok for _seconds, ok in found)
    yield at_most("stuck_jobs_after_worker_kill", wrong, 0, baseline="an unbroken run", unit="jobs")


def _killed_at(fields: Fields, extracts: Path, point: str) -> tuple[float, bool]:
    """Seconds from the kill to the end of the job, and whether it ended well with staging as it must be."""
    mark = uuid4().hex[:8]
    with (
        fields.copy(f"recovery_{mark}") as warehouse,
        fields.copy(f"console_{mark}", "template1") as console,
        psycopg.connect(fields.url(warehouse), autocommit=True) as connection,
    ):
        house = House(connection, fields.registry, fields.folder.parent / mark)
        prepare(house, "reprocess")
        env = {
            databases.CONSOLE_URL: fields.url(console),
            databases.WAREHOUSE_URL: fields.url(warehouse),
            "RESTAGE_EXTRACTS": str(extracts),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        stack = Stack(house, env)
        try:
            subprocess.run([sys.executable, str(MANAGE), "migrate", "-v", "0"], env=stack.env, check=True)
            return _recovered(stack, point)
        finally:
            stack.stop()


def _recovered(stack: Stack, point: str) -> tuple[float, bool]:
    (run,) = stack.house.connection.execute(
        "SELECT load_run_id FROM etl.load_run_files ORDER BY load_run_file_id LIMIT 1"
    ).fetchone() or (None,)
    job = stack.command("reprocess", str(run), "--reason", f"killed at {point}")["job"]
    worker = stack.worker(RESTAGE_FAILPOINT=point, RESTAGE_WORKERS="1")
    eventually(lambda: _is_dead(stack, job), seconds=60)
    for pid in _family(worker.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    worker.wait()
    began = time.monotonic()
    stack.worker(RESTAGE_WORKERS="1")
    eventually(lambda: stack.job_is(job, *OVER), seconds=180)
    seconds = time.monotonic() - began
    staged, _raw = state(stack.house)
    print(f"killed at {point}: over after {seconds:.0f} s", file=sys.stderr, flush=True)
    return seconds, stack.job_is(job, "succeeded") and bool(staged) and stack.house.violations() == 0


def _is_dead(stack: Stack, job: str) -> bool:
    """The job was claimed, and no session works on it any more."""
    claimed = stack.console("SELECT 1 FROM jobs_job WHERE id = %s AND lease_until > now()", job)
    at_work = stack.house.connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = %s", [f"restage job {job}"]
    ).fetchall()
    if not claimed or at_work:
        return False
    time.sleep(0.5)
    still = stack.console("SELECT 1 FROM jobs_job WHERE id = %s AND lease_until > now()", job)
    return bool(still)


def _family(pid: int) -> list[int]:
    """The process and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{entry}/stat") as stat:
            children.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found
