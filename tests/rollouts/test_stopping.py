"""How a rollout is ended before its end, and taken back: whole, or one wave of it."""

from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied

from approvals import gate
from approvals.models import Request
from audit.transitions import StateChangedError
from jobs import submission, work
from jobs.models import Job, JobRun
from reprocessing import rollback_requests, rollout_acts
from reprocessing.rollout_acts import NeedsReasonError
from reprocessing.waves import UNTIL_PROMOTED, Rules
from tests.rollouts.conftest import again, fees, states
from tests.workers import driven

pytestmark = pytest.mark.django_db(databases="__all__")


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
