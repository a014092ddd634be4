"""kill -9 of the worker in the middle of an archive and of a cleanup: one set, removed once, nothing left between."""

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest

from tests.house import row
from tests.proofs import further
from tests.stack import Stack, descendants, eventually
from tests.warehouse.shelf import Shelf


def killed_at(stack: Stack, point: str, job: str) -> None:
    """Have a worker die of the job at the point, all of it, and another one take over."""
    first = stack.worker(RESTAGE_FAILPOINT=point)
    lapsed = "SELECT 1 FROM jobs_job WHERE id = %s AND attempts > 0 AND lease_until < now()"
    eventually(lambda: stack.console(lapsed, job))
    for pid in descendants(first.pid):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    stack.worker()
    eventually(lambda: stack.job_is(job, "succeeded"))


def counts(stack: Stack) -> tuple[int, int, int]:
    """Sets that are listed, archived rows, effects."""
    found = stack.house.connection.execute(
        "SELECT (SELECT count(*) FROM restage.archive_sets), (SELECT count(*) FROM stg.visits_archive),"
        " (SELECT count(*) FROM restage.effects)"
    ).fetchone()
    assert found
    return found


@pytest.mark.parametrize("point", further(["archived", "archiving"], tried=1))
def test_an_archive_survives_the_death_of_its_worker(stack: Stack, point: str):
    run = str(stack.house.deliver("20260105", row("1"), row("2")))
    job = stack.command("archive", run, "--reason", "to be killed")["job"]
    killed_at(stack, point, job)
    assert counts(stack) == (1, 2, 1)
    done = stack.command("jobs", "show", job)
    assert done["tables"]["visits"]["rows"] == 2


@pytest.mark.parametrize("point", further(["cleared", "condemned"], tried=1))
def test_a_cleanup_survives_the_death_of_its_worker(stack: Stack, point: str):
    run = stack.house.deliver("20260105", row("1"), row("2"))
    Shelf(stack.house).keep(run, datetime.now(UTC) - timedelta(days=365))
    job = stack.command("cleanup")["job"]
    killed_at(stack, point, job)
    assert counts(stack) == (1, 0, 1), "it stays listed, its rows are gone, removed once"
    removed = stack.house.connection.execute("SELECT removed_job::text FROM restage.archive_sets").fetchone()
    assert removed == (job,)
