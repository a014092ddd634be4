"""One approval is about the whole of a rollout, and covers a wave as long as this is as it was approved."""

import pytest

from approvals import gate
from approvals.models import Request
from jobs import submission, work
from reprocessing import rollout_acts
from reprocessing.waves import UNTIL_PROMOTED, Rules
from tests.house import row
from tests.rollouts.conftest import ORGS, again, approved, fees, rows, states
from tests.workers import driven
from warehouse import code

pytestmark = pytest.mark.django_db(databases="__all__")


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
