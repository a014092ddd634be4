"""Partial results are told as partial, a retry takes what did not succeed, and what kills workers is quarantined."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs import claims, work
from jobs.models import Job
from reprocessing import estimates, requests, rollback_requests
from reprocessing.planning import CannotPlanError, Options
from tests.house import House, new_run, row
from tests.workers import worked
from warehouse import discovery
from warehouse.discovery import Filter

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def ask(console: House, people, settings):
    def asked(*runs, **options):
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL, runs, Options(**options), reason="the rule was wrong", actor=people["operator"]
        )

    return asked


@pytest.fixture
def hundred(console: House):
    """A run of 100 files of which 7 are spoilt after their load."""
    for number in range(100):
        console.write("20260105", row(str(number)), org=f"o{number:03}")
    (loaded,) = console.load().runs
    for number in range(100):
        console.write("20260105", row(str(number), fee="11"), org=f"o{number:03}")
    for number in range(3, 100, 15):
        (console.folder / f"o{number:03}_visits_20260105.csv").write_text("spoilt\n")
    return loaded.load_run_id


def test_of_a_hundred_files_seven_are_poison_and_a_retry_takes_these(console, ask, hundred, people, settings):
    job = worked(ask(hundred), 2)
    assert (job.state, len(job.plan.included), len(job.plan.not_read)) == ("partial", 93, 7)
    assert {item["code"] for item in job.plan.not_read} == {"unreadable"}
    for number in range(3, 100, 15):
        console.write("20260105", row(str(number), fee="11"), org=f"o{number:03}")
    again = requests.ask_retry(settings.WAREHOUSE_URL, job, actor=people["operator"])
    assert (len(again.plan.included), again.plan.options["retry_of"]) == (7, str(job.pk))
    assert worked(again, 2).state == "succeeded"
    assert {fee for fee, _note in console.staged().values()} == {"11.00"}
    assert console.violations() == 0


def test_a_missing_file_makes_a_part_too_and_what_was_not_asked_for_does_not(console, ask):
    console.write("20260105", row("1"), org="a")
    gone = console.write("20260105", row("2"), org="b")
    (loaded,) = console.load().runs
    gone.unlink()
    (console.folder / "a_visits_20260105.csv").touch()
    assert worked(ask(loaded.load_run_id), 2).state == "partial"
    head = console.connection.execute("SELECT max(load_run_file_id) FROM etl.load_run_files").fetchone()
    run = console.connection.execute("SELECT load_run_id FROM etl.load_run_files WHERE load_run_file_id = %s", head)
    (load_run,) = run.fetchone()
    assert worked(ask(load_run, which="all", extracts=("Visits",)), 2).state == "succeeded"


def test_a_part_can_be_rolled_back(console, ask, hundred, people, settings):
    job = worked(ask(hundred), 2)
    asked = rollback_requests.ask(settings.WAREHOUSE_URL, job, reason="wrong after all", actor=people["operator"])
    assert worked(asked).state == "awaiting approval"


def test_nobody_who_asked_for_the_job_decides_on_its_retry(console, ask, hundred, people, settings):
    """Nor who had a hand in the schedule or trigger that asked for it."""
    job = worked(ask(hundred), 2)
    job.plan.options["origin"] = {"authors": [people["ops"].pk]}
    job.plan.save()
    first = requests.ask_retry(settings.WAREHOUSE_URL, job, actor=people["administrator"])
    Job.objects.filter(pk=first.pk).update(state="failed")
    first.runs.update(held=False)
    first.refresh_from_db()
    asked = requests.ask_retry(settings.WAREHOUSE_URL, first, actor=people["administrator"])
    assert asked.asked_by == {people[name].pk for name in ("operator", "ops", "administrator")}


def test_there_is_nothing_to_retry_of_what_succeeded(console, ask, people, settings):
    job = worked(ask(console.deliver("20260105", row("1"))), 2)
    with pytest.raises(CannotPlanError, match="nothing to retry: this job is succeeded"):
        requests.ask_retry(settings.WAREHOUSE_URL, job, actor=people["operator"])


def test_the_page_offers_the_retry_to_who_may(console, ask, hundred, people):
    job = worked(ask(hundred), 2)
    for name, offered in (("operator", True), ("viewer", False)):
        client = Client()
        client.force_login(people[name])
        page = client.get(job.get_absolute_url()).content.decode()
        assert ("Retry 7 files" in page) is offered
        assert "Published in part" in page
        assert client.get(reverse("retry", args=[job.pk])).status_code == 405
        answer = client.post(reverse("retry", args=[job.pk]))
        assert answer.status_code == (302 if offered else 403)


def dead_worker(job: Job) -> None:
    """A worker claims the job and is never heard of again."""
    assert claims.claim(job.pk) is not None
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_job_that_kills_its_workers_is_quarantined_after_exactly_three(console, ask, people):
    run = console.deliver("20260105", row("1"))
    before, job = console.state(), ask(run)
    for _death in range(3):
        assert Job.objects.get(pk=job.pk).state == "previewing"
        dead_worker(job)
    assert claims.claim(job.pk) is None
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("quarantined", 3)
    assert "no further one tries" in job.error
    assert console.state() == before
    assert not job.runs.filter(held=True).exists(), "its run is free again"
    (tried,) = console.connection.execute("SELECT count(*) FROM restage.failed_tries").fetchone()
    assert tried == 1, "the file counts a failed try"


def test_files_of_quarantined_jobs_are_held_back_by_discovery(console, ask, people, settings):
    (console.folder / "a_visits_20260105.csv").write_text("spoilt\n")
    (loaded,) = console.load().runs
    console.write("20260105", row("1"))
    for _job in range(discovery.MOST_TRIES):
        job = ask(loaded.load_run_id)
        for _death in range(3):
            dead_worker(job)
        claims.claim(job.pk)
    found = discovery.find(console.connection, console.registry, Filter())
    assert (found.taken, found.left_out) == (0, {"quarantined": 1})


def test_a_job_whose_last_worker_died_after_its_publish_has_succeeded(console, ask):
    job = worked(ask(console.deliver("20260105", row("1"))))
    work.run(job.pk)
    Job.objects.filter(pk=job.pk).update(
        state="running", finished_at=None, attempts=3, lease_until=timezone.now() - timedelta(seconds=1)
    )
    assert claims.claim(job.pk) is None
    assert worked(job).state == "succeeded"


def test_an_estimate_comes_from_such_jobs_and_says_so(console, ask):
    now = timezone.now()
    console.write("20260105", *[row(str(number)) for number in range(200)])
    (loaded,) = console.load().runs
    run = loaded.load_run_id
    assert estimates.estimate("reprocess", ["Visits"], 1000, 4.0, now=now).basis == "half as long again as the preview"
    for seconds in (2, 4, 6, 20):
        job = worked(ask(run), 2)
        run = new_run(job.outcome or {})
        Job.objects.filter(pk=job.pk).update(started_at=now - timedelta(seconds=seconds), finished_at=now)
    found = estimates.estimate("reprocess", ["Visits"], 1000, 4.0, now=now + timedelta(seconds=1))
    assert found.basis == "4 such jobs, last 30 days"
    assert (round(found.low, 3), round(found.high, 3)) == (25.0, 79.0)
    other = estimates.estimate("reprocess", ["Calls"], 1000, 4.0, now=now)
    assert (other.low, other.high) == (4.0, 6.0)
    old = estimates.estimate("reprocess", ["Visits"], 1000, 4.0, now=now + timedelta(days=31))
    assert old.basis == "half as long again as the preview"
