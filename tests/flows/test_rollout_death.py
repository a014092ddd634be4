"""kill -9 of the worker at every step of a rollout: each wave is made and published once, and it goes on to the end."""

import os
import signal

import pytest

from tests.house import row
from tests.proofs import further
from tests.stack import Stack, descendants, eventually

POINTS = ["wave judged", "published", "wave beginning", "wave begun", "publishing"]


@pytest.mark.parametrize("point", further(POINTS, tried=2))
def test_a_rollout_survives_the_death_of_its_worker(stack: Stack, point: str):
    house = stack.house
    for org in "abc":
        house.write("20260105", *[row(f"{org}{n}", fee="1") for n in range(40)], org=org)
    (loaded,) = house.load().runs
    for org in "abc":
        house.write("20260105", *[row(f"{org}{n}", fee="2") for n in range(40)], org=org)
    job = stack.command("reprocess", str(loaded.load_run_id), "--reason", "to be killed", "--waves", "40,100")["job"]
    first = stack.worker(RESTAGE_FAILPOINT=point)
    eventually(lambda: stack.console("SELECT 1 FROM jobs_job WHERE lease_until < now() AND attempts > 0"))
    for pid in descendants(first.pid):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    stack.worker()
    eventually(lambda: stack.job_is(job, "succeeded"), seconds=90)
    waves = stack.console("SELECT number, state FROM reprocessing_wave ORDER BY number")
    assert waves == [(1, "passed"), (2, "passed")]
    assert stack.console("SELECT count(*) FROM jobs_job WHERE parent_id = %s", job) == [(2,)]
    assert set(house.staged().values()) == {("2.00", None)}
    assert house.violations() == 0
    effects = house.connection.execute("SELECT count(*) FROM restage.effects").fetchone()
    attempts = house.connection.execute("SELECT count(*) FROM etl.load_run_files").fetchone()
    assert (effects, attempts) == ((2,), (6,))


def test_an_abort_with_rollback_survives_the_death_of_its_worker(stack: Stack):
    house = stack.house
    for org in "abc":
        house.write("20260105", *[row(f"{org}{n}", fee="1") for n in range(40)], org=org)
    (loaded,) = house.load().runs
    for org in "abc":
        house.write("20260105", *[row(f"{org}{n}", fee="2") for n in range(40)], org=org)
    asked = ("--reason", "to be killed", "--waves", "40,100", "--pause-until-promoted", "--wait")
    job = stack.command("reprocess", str(loaded.load_run_id), *asked)["job"]
    assert stack.job_is(job, "paused")
    stack.command("rollouts", "abort", job, "--reason", "wrong", "--roll-back")
    first = stack.worker(RESTAGE_FAILPOINT="rollout aborting")
    eventually(lambda: stack.console("SELECT 1 FROM jobs_job WHERE lease_until < now() AND attempts > 0"))
    for pid in descendants(first.pid):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    assert stack.console("SELECT count(*) FROM jobs_job WHERE kind = 'rollback'") == [(0,)]
    stack.worker()
    eventually(lambda: stack.job_is(job, "cancelled"), seconds=90)
    eventually(lambda: stack.console("SELECT 1 FROM jobs_job WHERE kind = 'rollback' AND state = 'awaiting approval'"))
    assert stack.console("SELECT count(*) FROM jobs_job WHERE kind = 'rollback'") == [(1,)]
