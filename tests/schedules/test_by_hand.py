"""A schedule that a person runs now: it is they who ask, the schedule is why, and neither they nor its owner decide."""

from datetime import UTC, datetime, time

import pytest
from django.core.exceptions import PermissionDenied

from access import rights
from approvals import gate
from approvals.gate import RefusedError
from approvals.models import Request
from audit.models import Event
from reprocessing import schedules
from reprocessing.blackouts import InBlackoutError
from reprocessing.models import Blackout, Slot
from tests import ruling
from tests.house import House, row
from tests.schedules.conftest import MINUTE, START, spoil
from tests.workers import worked

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def closed() -> Blackout:
    """A window that is always open."""
    return Blackout.objects.create(weekdays=list(range(7)), begins=time(0), ends=time(0), zone="UTC", reason="loads")


def test_in_a_blackout_only_with_a_reason_that_is_kept(console: House, make, people, closed):
    schedule = make()
    spoil(console)
    now = datetime.now(UTC)
    with pytest.raises(InBlackoutError):
        schedules.run_now(schedule, people["ops"], now)
    assert not Slot.objects.exists()
    slot = schedules.run_now(schedule, people["ops"], now, past_blackout="the ward waits")
    assert (slot.came, slot.by) == ("fired", people["ops"])
    assert Event.objects.get(action="blackout overridden").detail["reason"] == "the ward waits"
    assert slot.job and slot.job.plan.options["past_blackout"]["reason"] == "the ward waits"


def test_it_needs_the_right_and_says_what_is_in_the_way(console: House, make, people):
    schedule = make()
    spoil(console)
    with pytest.raises(PermissionDenied):
        schedules.run_now(schedule, people["operator"], START)
    assert schedules.run_now(schedule, people["ops"], START).came == "fired"
    assert schedules.run_now(schedule, people["ops"], START + MINUTE).came == "skipped"


def test_the_person_asks_and_the_schedule_is_why(console: House, make, people, as_):
    schedule = make()
    spoil(console)
    job = schedules.run_now(schedule, people["administrator"], START).job
    assert job and job.requested_by == people["administrator"]
    assert job.plan.reason == "Schedule Nightly" and job.plan.options["origin"]["told"] == "schedule Nightly"
    assert Event.objects.get(action="job requested").actor_name == "administrator"
    assert Event.objects.get(action="asked by schedule Nightly").detail == {"on behalf of": "operator"}
    page = " ".join(as_("viewer").get(job.get_absolute_url()).content.decode().split())
    assert "Asked by administrator (who ran <a" in page and "schedule Nightly</a> of operator)" in page


def test_neither_the_person_nor_the_owner_nor_who_wrote_it_decides(console: House, make, people):
    ruling.limit(0)
    schedule = make()  # ops wrote it
    for name in ("operator", "ops"):
        rights.give(people[name], ["administrator"])
    spoil(console)
    console.write("20260105", row("1"))
    job = worked(schedules.run_now(schedule, people["administrator"], START).job)
    assert job.asked_by == {people[name].pk for name in ("operator", "ops", "administrator")}
    request = Request.objects.get(job=job)
    for name in ("operator", "ops", "administrator"):
        with pytest.raises(RefusedError):
            gate.decide(request, people[name], approve=True, digest=job.plan.digest, reason="")
    gate.decide(request, people["reviewer"], approve=True, digest=job.plan.digest, reason="")


def test_it_is_the_owners_right_that_counts(console: House, make, people):
    """Who runs schedules need not be one who may ask for any reprocessing; an owner who lost the right stops it."""
    schedule = make()
    spoil(console)
    assert not rights.may(people["ops"], rights.REPROCESS)
    rights.give(people["operator"], ["viewer"])
    slot = schedules.run_now(schedule, people["ops"], START)
    assert (slot.came, slot.job) == ("skipped", None) and "operator may not ask for reprocessing" in slot.why
