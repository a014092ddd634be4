"""What the rules let go at one moment may begin at another; what they would not let go any more may not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User

from access import rights
from approvals import gate
from approvals.models import Request
from approvals.time_of_week import TimeOfWeek
from audit.models import Event
from jobs import submission
from jobs.models import Job, Plan
from jobs.submission import NotPermittedError
from tests.approvals.conftest import KIND
from tests.ruling import NONE, ONE, REFUSED, put, rule

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
BEFORE, AFTER = MONDAY + timedelta(hours=16, minutes=58), MONDAY + timedelta(hours=17, minutes=1)
OFFICE = TimeOfWeek((0, 1, 2, 3, 4), "09:00", "17:00", "UTC")
FILE = {"file": 1, "key": "a.csv", "extract": "Visits"}


def rules(*found: Any) -> None:
    put([each.as_json() for each in found])


@pytest.fixture(autouse=True)
def _free_in_office_hours(people) -> None:
    rules(rule("Office hours", NONE, window=OFFICE), rule("Else", ONE))


def came(by: User, at: datetime, parent: Job | None = None, **options: Any) -> Job:
    """A job whose preview was made at that moment."""
    plan = Plan(kind=KIND, reason="r", options=options)
    job = submission.submit(plan, by, parent=parent)
    waves = [{"number": 1, "files": [1]}]
    plan.freeze(included=[FILE], excluded=[], preview={"tables": {}, "records": 1, "waves": waves})
    gate.submit(job, {}, now=at)
    return job


def test_what_was_let_go_before_five_begins_after_it(people):
    job = came(people["operator"], BEFORE)
    assert job.state == "queued"
    gate.permit(job, now=AFTER)
    gate.permit(job, now=AFTER + timedelta(days=3))
    assert came(people["operator"], AFTER).state == "awaiting approval"


def test_the_moment_of_the_rules_counts_not_that_of_the_trail(people):
    """An event is written down a little later than its job was judged."""
    job = came(people["operator"], BEFORE)
    event = Event.objects.get(action="job queued", subject=f"job:{job.pk}")
    assert event.detail["at"] == BEFORE.isoformat() and event.at > AFTER
    gate.permit(job, now=AFTER)


def test_the_waves_of_a_rollout_go_on_after_it(people):
    whole = came(people["operator"], BEFORE)
    gate.permit(whole, now=AFTER)
    wave = came(people["operator"], AFTER, whole, wave=1)
    assert wave.state == "queued" and not Request.objects.exists()
    gate.permit(wave, now=AFTER + timedelta(hours=1))


def test_a_job_that_no_event_let_go_is_judged_now(people):
    """Queued by hand, or by what the warehouse says of itself."""
    job = came(people["operator"], BEFORE)
    gate.permit(job, now=AFTER)
    other = submission.submit(Plan(kind=KIND, reason="r", options={}), people["operator"])
    other.plan.freeze(included=[FILE], excluded=[], preview={"tables": {}, "records": 1})
    Job.objects.filter(pk=other.pk).update(state="queued")
    detail = {"from": "previewing", "at": BEFORE.isoformat()}
    Event.objects.create(actor_name="x", action="job queued", subject=f"job:{other.pk}", detail=detail, effect=1)
    with pytest.raises(NotPermittedError, match="needs an approval and has none"):
        gate.permit(other, now=AFTER)
    gate.permit(other, now=BEFORE)


def test_rules_that_became_stricter_say_what_to_do_next(people):
    job = came(people["operator"], BEFORE)
    rules(rule("All", ONE))
    with pytest.raises(NotPermittedError) as refused:
        gate.permit(job, now=BEFORE)
    told = str(refused.value)
    assert "was let go without, and would not be now. The rule “All” asks about every job. Nothing was done." in told
    assert "Make a new plan; it waits for that approval. Of a rollout: abort it first" in told
    rules(rule("Never", REFUSED))
    with pytest.raises(NotPermittedError, match=r"The rule Never refuses it now, and did not .* Not on a weekday"):
        gate.permit(job, now=BEFORE)


def test_a_role_that_was_taken_away_counts_at_once(people):
    rules(rule("Operators", NONE, roles=("operator",)), rule("Else", ONE))
    job = came(people["operator"], BEFORE)
    gate.permit(job, now=AFTER)
    rights.give(people["operator"], ["viewer"])
    with pytest.raises(NotPermittedError, match="would not be now"):
        gate.permit(job, now=AFTER)
