"""A reprocessing in waves: one approval for the whole, one job a wave, checks between them, and its ends."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from approvals import gate, rules
from approvals.models import Request
from audit.models import Event
from audit.transitions import StateChangedError
from jobs import claims, submission, work
from jobs.models import Job, JobRun
from jobs.submission import AlreadyActiveError
from reprocessing import requests, rollback_requests, rollout, rollout_acts, wave_checks
from reprocessing.models import Breaker, Wave
from reprocessing.planning import Options
from reprocessing.rollout_acts import NeedsReasonError
from reprocessing.wave_checks import Check
from reprocessing.waves import UNTIL_PROMOTED, Rules
from tests.house import House, row
from tests.workers import driven
from warehouse import code

pytestmark = pytest.mark.django_db(databases="__all__")
ORGS = "abcd"
EACH = 40
TWO = Rules((25, 100))


def rows(org: str, *, fee: str, bad: int = 0, most: int = EACH):
    return [row(f"{org}{n}", fee="never" if n < bad else fee) for n in range(most)]


@pytest.fixture
def run(console: House):
    """One run of four practices' files; since then every fee has changed."""
    for org in ORGS:
        console.write("20260105", *rows(org, fee="1"), org=org)
    (loaded,) = console.load().runs
    for org in ORGS:
        console.write("20260105", *rows(org, fee="2"), org=org)
    return loaded.load_run_id


@pytest.fixture
def ask(console, people, settings):
    def asked(run, waves=TWO, actor="operator", **options):
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL, [run], Options(**options), reason="rule", actor=people[actor], waves=waves
        )

    return asked


def again(job: Job):
    return Job.objects.select_related("plan", "rollout").get(pk=job.pk)


def fees(console: House) -> dict[str, int]:
    found = console.connection.execute("SELECT fee::text, count(*) FROM stg.visits GROUP BY 1").fetchall()
    return dict(found)


def states(job: Job) -> list[str]:
    return list(Wave.objects.filter(rollout__job=job).values_list("state", flat=True))


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


@pytest.fixture
def small_limit(monkeypatch):
    """Each wave is below this limit and the whole is above it."""
    monkeypatch.setattr(rules, "MOST_RECORDS", 130)


def approved(job: Job, people):
    work.run(job.pk)
    request = Request.objects.get(job=job)
    gate.decide(request, people["reviewer"], approve=True, digest=again(job).plan.digest, reason="")


def test_the_whole_counts_for_the_thresholds_and_is_approved_once(console, run, ask, people, small_limit):
    job = ask(run)
    approved(job, people)
    assert "160 records" in Request.objects.get().why[0]
    assert driven(job).state == "succeeded"
    assert Request.objects.count() == 1


def test_the_digest_covers_the_split(run, ask, people, small_limit):
    job = ask(run)
    work.run(job.pk)
    plan = again(job).plan
    plan.preview["waves"][0]["files"].append(plan.preview["waves"][1]["files"].pop())
    assert plan.computed_digest() != plan.digest


def test_a_reviewer_who_may_not_decide_any_more_stops_the_next_wave(console, run, ask, people, small_limit):
    job = ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED))
    approved(job, people)
    job = driven(job)
    people["reviewer"].groups.clear()
    rollout_acts.promote(job, people["operator"])
    job = driven(job)
    assert (job.state, states(job)) == ("paused", ["passed", "waiting"])
    assert "may not decide any more" in job.rollout.why


def test_a_file_that_is_not_as_it_was_approved_stops_and_asks(console, run, ask, people, small_limit):
    job = ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED))
    approved(job, people)
    job = driven(job)
    left = {
        item["key"]: item["file"] for item in job.plan.included if item["file"] in job.plan.preview["waves"][1]["files"]
    }
    (console.folder / sorted(left)[0]).write_text("visit_id,seen_on,fee,note,updated_at\nz,,9,,\n")
    rollout_acts.promote(job, people["operator"])
    work.run(job.pk)
    child = job.children.get(plan__options__wave=2)
    work.run(child.pk)
    child.refresh_from_db()
    assert child.state == "awaiting approval"
    assert "1 of its files cannot be read as they were approved." in Request.objects.get(job=child).why
    assert fees(console) == {"1.00": 120, "2.00": 40}


def test_rows_that_would_be_made_otherwise_than_approved_are_not(console, run, ask, people, monkeypatch):
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    monkeypatch.setattr(code, "making", lambda extract: "another")
    rollout_acts.promote(job, people["operator"])
    job = driven(job)
    assert (job.state, states(job)) == ("paused", ["passed", "waiting"])
    assert "How rows of Visits are made has changed since the approval" in job.rollout.why


def test_a_covered_wave_with_changed_contents_would_not_be_permitted(run, ask, people, small_limit):
    job = ask(run)
    approved(job, people)
    work.run(job.pk)
    child = job.children.get()
    work.run(child.pk)
    child.refresh_from_db()
    assert child.state == "queued"
    child.plan.included[0]["sha256"] = "0" * 64
    with pytest.raises(submission.NotPermittedError):
        gate.permit(child)


def test_a_wave_that_removes_what_the_whole_keeps_asks(console, ask, people, small_limit):
    """A key that goes from one file to another: the file that loses it may be in an earlier wave than its new one."""
    for org in ORGS:
        console.write("20260105", *rows(org, fee="1"), org=org)
    (loaded,) = console.load().runs
    for org, other in zip(ORGS, ORGS[1:] + ORGS[:1], strict=True):
        console.write("20260105", *rows(org, fee="2")[1:], row(f"{other}0", fee="2"), org=org)
    job = ask(loaded.load_run_id)
    approved(job, people)
    assert again(job).plan.tables["visits"]["deleted"] == 0
    work.run(job.pk)
    child = job.children.get()
    work.run(child.pk)
    child.refresh_from_db()
    assert (child.state, child.tables["visits"]["deleted"]) == ("awaiting approval", 1)
    assert (
        "It would remove more rows of stg.visits than the approved plan: 1, not 0."
        in Request.objects.get(job=child).why
    )
    assert fees(console) == {"1.00": 160}


def test_a_cancel_while_a_worker_begins_its_first_wave_is_refused(run, ask, people):
    """Taken, it would reach the rollout at some later step and end it with a wave under way."""
    job = ask(run)
    work.run(job.pk)
    assert claims.claim(job.pk) is not None
    with pytest.raises(StateChangedError, match="just beginning"):
        submission.cancel(again(job), people["ops"])
    assert not again(job).cancel_asked


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


def test_an_abort_keeps_what_is_published(console, run, ask, people):
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    with pytest.raises(NeedsReasonError):
        rollout_acts.abort(job, people["ops"], reason=" ")
    rollout_acts.abort(job, people["ops"], reason="the rule is wrong")
    job = driven(job)
    assert (job.state, states(job)) == ("cancelled", ["passed", "waiting"])
    assert job.error == "Aborted by ops: the rule is wrong. 1 of 2 waves are published; nothing more will be."
    assert job.outcome["tables"]["visits"]["updated"] == 40
    assert fees(console) == {"1.00": 120, "2.00": 40}
    assert not JobRun.objects.filter(held=True).exists()
    with pytest.raises(StateChangedError):
        rollout_acts.promote(job, people["operator"])


def test_an_abort_stops_a_wave_that_has_not_published(console, run, ask, people):
    job = ask(run)
    for _step in range(2):
        work.run(job.pk)
    assert submission.cancel(again(job), people["ops"]) is False, "cancelling a rollout is aborting it"
    job = driven(job)
    assert (job.state, states(job)) == ("cancelled", ["stopped", "waiting"])
    assert [child.state for child in job.children.all()] == ["cancelled"]
    assert (job.outcome, fees(console)) == (None, {"1.00": 160})


def test_abort_and_roll_back_takes_all_published_waves_back_in_one_plan(console, run, ask, people):
    before = console.connection.execute("SELECT * FROM stg.visits ORDER BY visit_id").fetchall()
    job = driven(ask(run, Rules((25, 50, 100), pause_minutes=UNTIL_PROMOTED)))
    rollout_acts.promote(job, people["operator"])
    job = driven(job)
    assert states(job) == ["passed", "passed", "waiting"]
    with pytest.raises(PermissionDenied):
        rollout_acts.abort(job, people["ops"], reason="wrong", roll_back=True)
    rollout_acts.abort(job, people["operator"], reason="wrong", roll_back=True)
    job = driven(job)
    assert job.state == "cancelled"
    back = Job.objects.get(kind="rollback")
    newest_first = [str(child.pk) for child in job.children.order_by("-finished_at")]
    assert (back.undoes, back.plan.options["jobs"]) == (job, newest_first)
    work.run(back.pk)
    back.refresh_from_db()
    gate.decide(Request.objects.get(job=back), people["reviewer"], approve=True, digest=back.plan.digest, reason="")
    work.run(back.pk)
    job = again(job)
    assert (job.state, states(job)) == ("rolled back", ["rolled back", "rolled back", "waiting"])
    assert console.connection.execute("SELECT * FROM stg.visits ORDER BY visit_id").fetchall() == before
    assert console.violations() == 0


def test_a_rollback_that_cannot_be_asked_for_does_not_keep_an_abort_from_ending(console, run, ask, people, settings):
    job = driven(ask(run, Rules((25, 100), pause_minutes=UNTIL_PROMOTED)))
    first = job.children.get()
    (made,) = first.outcome["load_runs"].values()
    again_asked = ask(UUID(made), waves=None)
    rollout_acts.abort(job, people["operator"], reason="wrong", roll_back=True)
    job = driven(job)
    assert job.state == "cancelled"
    assert (
        f"Their rollback could not be asked for: Load run {made} has an active job already: {again_asked.pk}"
        in job.error
    )


def test_one_wave_of_a_finished_rollout_is_rolled_back(console, run, ask, people, settings):
    job = driven(ask(run))
    first = job.children.get(plan__options__wave=1)
    back = rollback_requests.ask(settings.WAREHOUSE_URL, first, reason="wrong practice", actor=people["operator"])
    work.run(back.pk)
    back.refresh_from_db()
    gate.decide(Request.objects.get(job=back), people["reviewer"], approve=True, digest=back.plan.digest, reason="")
    work.run(back.pk)
    job = again(job)
    assert (job.state, states(job)) == ("succeeded", ["rolled back", "passed"])
    assert fees(console) == {"1.00": 40, "2.00": 120}
    rest = rollback_requests.ask(settings.WAREHOUSE_URL, job, reason="all of it", actor=people["operator"])
    assert rest.plan.options["jobs"] == [str(job.children.get(plan__options__wave=2).pk)]


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
