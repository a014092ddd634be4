"""The queue is a doorbell: ten rings, no ring, fifty askers and a worker that always dies, with the real processes."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.browsing import Browser
from tests.house import row
from tests.stack import Stack, eventually

ASKERS = 50


@pytest.fixture
def run(stack: Stack) -> str:
    made = stack.house.deliver("20260105", *[row(str(number)) for number in range(50)])
    stack.house.write("20260105", *[row(str(number), fee="11") for number in range(50)])
    return str(made)


def effects(stack: Stack) -> int:
    (found,) = stack.house.connection.execute("SELECT count(*) FROM restage.effects").fetchone() or (0,)
    return int(found)


def ring_ten_times(stack: Stack, job: str) -> None:
    told = f"from jobs import doorbell\nfor _ in range(10): doorbell.ring('{job}')"
    assert stack.start("manage.py", "shell", "-v", "0", "-c", told).wait(60) == 0


def test_a_message_delivered_ten_times_in_parallel_has_one_effect(stack: Stack, run: str):
    job = stack.command("reprocess", run, "--reason", "rung for often")["job"]
    ring_ten_times(stack, job)
    stack.worker(RESTAGE_WORKERS="5")
    eventually(lambda: stack.job_is(job, "succeeded"))
    ring_ten_times(stack, job)
    eventually(lambda: stack.console("SELECT count(*) FROM django_q_ormq") == [(0,)])
    assert effects(stack) == 1
    assert stack.console("SELECT attempts FROM jobs_job") == [(1,)]
    assert stack.house.violations() == 0


def test_a_wiped_queue_loses_no_job(stack: Stack, run: str):
    job = stack.command("reprocess", run, "--reason", "its message is lost")["job"]
    stack.console("DELETE FROM django_q_ormq RETURNING 1")
    stack.console("UPDATE jobs_job SET created_at = created_at - interval '1 minute' RETURNING 1")
    stack.worker()
    eventually(lambda: stack.job_is(job, "queued", "running", "succeeded"))
    stack.console("DELETE FROM django_q_ormq RETURNING 1")
    eventually(lambda: stack.job_is(job, "succeeded"), seconds=60)
    assert effects(stack) == 1


def test_fifty_requests_for_one_run_at_once_are_one_job(stack: Stack, run: str):
    people = (
        "from django.contrib.auth.models import User; from access import rights\n"
        "rights.give(User.objects.create_user('olivia', password='pass-word-1'), ['operator'])"
    )
    assert stack.start("manage.py", "shell", "-v", "0", "-c", people).wait(60) == 0
    web = stack.web()
    olivia = Browser(web, "olivia")
    form = f"{web}/runs/{run}/reprocess/"

    def ask(number: int) -> str:
        return olivia.post(form, source="files", which="all", reason=f"asked {number} times")

    with ThreadPoolExecutor(ASKERS) as pool:
        ends = Counter(pool.map(ask, range(ASKERS)))
    (job,) = (str(found) for (found,) in stack.console("SELECT id FROM jobs_job"))
    assert ends == {f"{web}/jobs/{job}/": ASKERS}, "each is led to the one job"
    assert stack.console("SELECT count(*) FROM audit_event WHERE action = 'job requested'") == [(1,)]


def test_a_job_that_kills_its_worker_is_tried_three_times_and_then_quarantined(stack: Stack, run: str):
    job = stack.command("reprocess", run, "--reason", "deadly")["job"]
    worker = stack.worker(RESTAGE_FAILPOINT="built")
    eventually(lambda: stack.job_is(job, "quarantined"), seconds=80)
    assert stack.end(worker) in (0, -15)
    said = stack.command("jobs", "show", job)
    assert "no further one tries" in said["error"]
    assert stack.console("SELECT attempts, epoch FROM jobs_job") == [(3, 3)]
    assert effects(stack) == 0
    again = stack.command("retry", job)
    stack.worker()
    eventually(lambda: stack.job_is(again["job"], "succeeded"), seconds=60)
    left = stack.house.connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'restage_build'")
    assert left.fetchone() == (0,)
