"""A reprocessing in waves: one job a wave, in order, to where one job would end; whatever happens to its worker."""

from typing import Any

import pytest

from approvals.models import Request
from audit.transitions import StateChangedError
from jobs import claims, submission, work
from jobs.models import Job, JobRun
from jobs.submission import AlreadyActiveError
from reprocessing import requests, rollout_acts
from reprocessing.planning import Options
from reprocessing.waves import UNTIL_PROMOTED, Rules
from tests.rollouts.conftest import TWO, again, fees, states
from tests.workers import driven

pytestmark = pytest.mark.django_db(databases="__all__")


def test_a_rollout_publishes_wave_by_wave_and_ends_where_one_job_would(console, run, ask):
    job = ask(run)
    work.run(job.pk)
    job = again(job)
    assert (job.state, job.kind) == ("queued", "rollout")
    assert job.plan.tables["visits"]["updated"] == 160, "the preview is about the whole"
    assert [wave["records"] for wave in job.plan.preview["waves"]] == [40, 120]
    assert fees(console) == {"1.00": 160}
    work.run(job.pk)
    assert [child.state for child in job.children.all()] == ["previewing"]
    job = driven(job)
    assert (job.state, job.error) == ("succeeded", "")
    assert states(job) == ["passed", "passed"]
    assert fees(console) == {"2.00": 160}
    assert console.violations() == 0
    assert job.outcome["tables"]["visits"]["updated"] == 160
    children = job.children.order_by("created_at")
    assert [child.plan.options["wave"] for child in children] == [1, 2]
    assert [len(child.plan.included) for child in children] == [1, 3]
    assert not JobRun.objects.filter(held=True).exists()
    assert not Request.objects.exists()


def test_its_load_runs_stay_held_until_it_is_over(console, run, ask):
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    assert (job.state, fees(console)) == ("paused", {"1.00": 120, "2.00": 40})
    with pytest.raises(AlreadyActiveError) as refused:
        ask(run)
    assert refused.value.job == job


def test_waves_over_existing_raw_records(console, run, ask):
    console.connection.execute("UPDATE stg.visits SET fee = 7")
    job = driven(ask(run, source="raw"))
    assert (job.state, fees(console)) == ("succeeded", {"1.00": 160})


def test_a_dry_run_of_a_rollout_shows_its_waves_and_begins_none(console, run, people, settings):
    asked = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"], waves=TWO, dry_run=True
    )
    work.run(asked.pk)
    job: Any = Job.objects.select_related("plan").get(pk=asked.pk)
    assert (job.state, len(job.plan.preview["waves"]), job.children.count()) == ("previewed", 2, 0)


def test_a_cancel_while_a_worker_begins_its_first_wave_is_refused(run, ask, people):
    """Taken, it would reach the rollout at some later step and end it with a wave under way."""
    job = ask(run)
    work.run(job.pk)
    assert claims.claim(job.pk) is not None
    with pytest.raises(StateChangedError, match="just beginning"):
        submission.cancel(again(job), people["ops"])
    assert not again(job).cancel_asked


def test_a_rollout_waits_for_a_warehouse_that_is_away_and_goes_on(console, run, ask, people, settings, monkeypatch):
    monkeypatch.setattr(work, "WAITS", (0.01,))
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    good, settings.WAREHOUSE_URL = settings.WAREHOUSE_URL, "postgresql://nobody@127.0.0.1:1/none"
    rollout_acts.promote(job, people["operator"])
    work.run(job.pk)
    job = again(job)
    assert (job.state, job.lease_until, job.attempts, job.rollout.why) == ("running", None, 0, "")
    settings.WAREHOUSE_URL = good
    assert driven(job).state == "succeeded"


def test_a_rollout_whose_worker_dies_three_times_waits_for_a_person(run, ask, people):
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    rollout_acts.promote(job, people["operator"])
    Job.objects.filter(pk=job.pk).update(attempts=3)
    job = driven(job)
    assert job.state == "paused" and "died 3 times" in job.rollout.why
    rollout_acts.promote(job, people["operator"])
    assert driven(job).state == "succeeded"
