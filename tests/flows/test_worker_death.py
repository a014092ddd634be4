"""kill -9 of the worker at every step of the journal: nothing is lost, nothing is done twice."""

import os
import signal

import pytest

from tests.house import row
from tests.proofs import further
from tests.stack import Stack, descendants, eventually


@pytest.mark.parametrize("point", further(["built", "published", "fetched", "publishing"], tried=2))
def test_trap_15_a_job_survives_the_death_of_its_worker(stack: Stack, point: str):
    house = stack.house
    run = house.deliver("20260105", row("1"), row("2"))
    house.write("20260105", row("1", fee="11"), row("3"))
    job = stack.command("reprocess", str(run), "--reason", "to be killed")["job"]
    # "fetched" and "built" strike in the preview already, which takes the same way; the others when it publishes.
    first = stack.worker(RESTAGE_FAILPOINT=point)
    eventually(lambda: stack.console("SELECT attempts FROM jobs_job WHERE id = %s AND attempts > 0", job)
               and stack.console("SELECT 1 FROM jobs_job WHERE id = %s AND lease_until < now()", job))  # fmt: skip
    for pid in descendants(first.pid):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    published = house.connection.execute("SELECT count(*) FROM restage.job_steps WHERE step = 'publish'").fetchone()
    assert published == ((1,) if point == "published" else (0,))
    stack.worker()
    eventually(lambda: stack.job_is(job, "succeeded"))
    assert house.staged() == {"1": ("11.00", None), "3": ("10.00", None)}
    assert house.violations() == 0
    attempts = house.connection.execute("SELECT count(*) FROM etl.load_run_files").fetchone()
    effects = house.connection.execute("SELECT count(*) FROM restage.effects").fetchone()
    assert (attempts, effects) == ((2,), (1,))
    left = house.connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'restage_build'").fetchall()
    assert left == []
