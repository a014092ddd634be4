"""What makes a rollout wait, for whom, and what lets it go on."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from audit.models import Event
from jobs import submission, work
from reprocessing import rollout, rollout_acts, wave_checks
from reprocessing.models import Breaker
from reprocessing.rollout_acts import NeedsReasonError
from reprocessing.wave_checks import Check
from reprocessing.waves import UNTIL_PROMOTED, Rules
from tests.house import row
from tests.rollouts.conftest import ORGS, again, fees, rows, states
from tests.workers import driven

pytestmark = pytest.mark.django_db(databases="__all__")


def test_inconclusive_checks_pause_for_a_person(console, people, ask):
    console.write("20260105", row("1"), org="a")
    console.write("20260105", row("2"), org="b")
    (loaded,) = console.load().runs
    job = driven(ask(loaded.load_run_id, Rules((50, 100))))
    assert (job.state, states(job)) == ("paused", ["inconclusive", "waiting"])
    assert "cannot tell" in job.rollout.why and "too few" in job.rollout.why
    rollout_acts.promote_all(job, people["operator"])
    job = driven(job)
    assert (job.state, states(job)) == ("succeeded", ["inconclusive", "inconclusive"])


def test_a_failed_check_pauses_and_needs_a_reason_to_go_on(console, run, ask, people, settings):
    for org in ORGS:
        console.write("20260105", *rows(org, fee="2", bad=2), org=org)
    job = driven(ask(run))
    assert (job.state, states(job)) == ("paused", ["failed", "waiting"])
    assert "5.0 % of the records were rejected, 0.0 % before" in job.rollout.why
    assert job.rollout.waves.first().checks[0] == {
        "name": "rejects",
        "result": "fail",
        "figure": "5.0 %",
        "limit": "1.0 %",
        "told": "Visits: 5.0 % of the records were rejected, 0.0 % before.",
    }
    with pytest.raises(NeedsReasonError):
        rollout_acts.promote(job, people["operator"])
    assert again(job).state == "paused"
    rollout_acts.promote(job, people["operator"], reason="the rule is meant")
    job = driven(job)
    assert (job.state, states(job)) == ("paused", ["failed", "failed"]), "the last wave asks too"
    rollout_acts.promote(job, people["operator"], reason="the rule is meant")
    assert driven(job).state == "succeeded"


def test_a_failure_limit_lets_that_many_checks_fail(console, run, ask):
    for org in ORGS:
        console.write("20260105", *rows(org, fee="2", bad=2), org=org)
    job = driven(ask(run, Rules((25, 100), failures=2)))
    assert (job.state, states(job)) == ("succeeded", ["failed", "failed"])


def test_a_verdict_of_another_room_is_one_of_the_checks(console, run, ask, monkeypatch):
    bad = Check("quality", "fail", "", "", "Fees look wrong.")
    monkeypatch.setattr(wave_checks, "_verdicts", [])
    wave_checks.judged_by(lambda job: bad)
    job = driven(ask(run))
    assert job.state == "paused" and "Fees look wrong." in job.rollout.why


def test_an_open_breaker_fails_the_checks(console, run, ask, people):
    job = ask(run)
    for _step in range(2):
        work.run(job.pk)
    child = job.children.get()
    for _step in range(2):
        work.run(child.pk)
    Breaker.objects.create(extract="Visits", state="open", why=["Somebody's job looked wrong."])
    job = driven(job)
    assert (job.state, states(job)) == ("paused", ["failed", "waiting"])
    assert "The circuit breaker of Visits is open." in job.rollout.why


def test_a_wave_that_stops_publishes_nothing_and_can_be_tried_again(console, run, ask, people):
    job = ask(run)
    for _step in range(2):
        work.run(job.pk)
    child = job.children.get()
    submission.cancel(child, people["ops"])
    job = driven(job)
    assert (job.state, states(job)) == ("paused", ["stopped", "waiting"])
    assert "It can be tried again." in job.rollout.why and fees(console) == {"1.00": 160}
    rollout_acts.promote(job, people["operator"])
    job = driven(job)
    assert (job.state, states(job), fees(console)) == ("succeeded", ["passed", "passed"], {"2.00": 160})
    assert job.children.count() == 3


def test_a_pause_between_waves_ends_by_itself(console, run, ask):
    job = driven(ask(run, Rules((25, 100), pause_minutes=30)))
    assert (job.state, states(job)) == ("paused", ["passed", "waiting"])
    began = timezone.now()
    assert rollout.resume(began + timedelta(minutes=29)) == 0
    assert rollout.resume(began + timedelta(minutes=31)) == 1
    assert rollout.resume(began + timedelta(minutes=31)) == 0
    assert driven(job).state == "succeeded"


def test_a_pause_that_is_asked_for_comes_after_the_wave_under_way(console, run, ask, people):
    job = ask(run)
    for _step in range(2):
        work.run(job.pk)
    rollout_acts.pause(job, people["ops"])
    job = driven(job)
    assert (job.state, states(job)) == ("paused", ["passed", "waiting"])
    assert job.rollout.why == "ops asked for it, after wave 1."
    rollout_acts.promote(job, people["operator"])
    assert driven(job).state == "succeeded"


@pytest.mark.parametrize(
    ("act", "role"),
    [
        (rollout_acts.promote, "viewer"),
        (rollout_acts.promote_all, "reviewer"),
        (rollout_acts.pause, "viewer"),
    ],
)
def test_each_act_needs_its_right(run, ask, people, act, role):
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    with pytest.raises(PermissionDenied):
        act(job, people[role])
    assert again(job).state == "paused"


def test_what_people_did_is_in_the_trail(run, ask, people):
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    rollout_acts.promote(job, people["operator"], reason="looks right")
    driven(job)
    *_earlier, last = Event.objects.filter(subject=f"job:{job.pk}", actor=people["operator"]).order_by("id")
    assert last.detail == {"from": "paused", "asked": "promote", "after wave": 1, "reason": "looks right"}
