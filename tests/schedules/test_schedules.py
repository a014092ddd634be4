"""Each time of a schedule fires once, or is kept with the reason why it did not."""

from datetime import time, timedelta
from threading import Barrier, Thread

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from access import rights
from audit.models import Event
from audit.transitions import StateChangedError
from jobs.models import Job
from reprocessing import askers, schedules, slots
from reprocessing.askers import NoOwnerError
from reprocessing.models import Blackout, Schedule, Slot
from reprocessing.schedules import GRACE, sort_out
from tests.house import House, row
from tests.schedules.conftest import HOUR, MINUTE, START, came, cancel, spoil, turn_at
from tests.workers import finished

pytestmark = pytest.mark.django_db(databases="__all__")


def test_a_slot_asks_for_what_discovery_finds_on_the_owners_behalf(console: House, make):
    run = spoil(console)
    console.write("20260105", row("1"))
    schedule = make(wanted={"why": "failed"})
    turn_at(START + MINUTE)
    job = Job.objects.get()
    slot = Slot.objects.get()
    assert (slot.came, slot.job, slot.slot) == ("fired", job, START + MINUTE)
    assert (job.requested_by.username, job.plan.load_runs) == ("operator", [run])
    assert job.plan.options["origin"]["told"] == "schedule Nightly"
    assert Event.objects.get(action="schedule fired").detail == {"slot": slot.slot.isoformat(), "job": str(job.pk)}
    assert finished(job).state == "succeeded"
    turn_at(START + 2 * MINUTE)
    assert came(schedule)[1] == ("12:02", "nothing found")
    assert console.violations() == 0


def test_before_its_time_nothing_comes(console: House, make):
    spoil(console)
    make(expression="30 12 * * *")
    turn_at(START + 29 * MINUTE)
    assert not Slot.objects.exists()


def test_nobody_who_wrote_it_decides_on_its_job(console: House, make, people):
    spoil(console)
    rights.give(people["ops"], ["administrator"])
    make()
    turn_at(START + MINUTE)
    assert Job.objects.get().asked_by == {people["operator"].pk, people["ops"].pk}


def test_a_dry_run_stays_one(console: House, make):
    spoil(console)
    console.write("20260105", row("1"))
    make(dry_run=True)
    turn_at(START + MINUTE)
    job = finished(Job.objects.get())
    assert (job.dry_run, job.state) == (True, "previewed")


def test_a14_a_long_job_of_a_fast_schedule_never_overlaps_itself(console: House, make):
    """A job of more than a minute each minute: one at a time, and every skip is kept with its reason."""
    schedule = make()
    most = 0
    for minute in range(1, 13):
        spoil(console, f"202601{minute:02}")
        turn_at(START + minute * MINUTE, START + minute * MINUTE + timedelta(seconds=30))
        active = Job.objects.filter(state__in=Job.ACTIVE)
        most = max(most, active.count())
        if minute % 3 == 0:
            cancel(active.get())
    assert most == 1
    assert [what for _at, what in came(schedule)] == ["fired", "skipped", "skipped"] * 4
    assert all("of an earlier time is previewing" in s.why for s in Slot.objects.filter(came="skipped"))


def test_queue_lets_one_wait_and_no_more(console: House, make):
    schedule = make(overlap="queue")
    spoil(console)
    turn_at(*(START + minute * MINUTE for minute in (1, 2, 3)))
    assert [what for _at, what in came(schedule)] == ["fired", "waiting", "skipped"]
    cancel(Job.objects.get())
    turn_at(START + 3 * MINUTE + timedelta(seconds=5))
    assert [what for _at, what in came(schedule)] == ["fired", "fired", "skipped"]


def test_cancel_ends_the_old_job_and_asks_anew(console: House, make):
    schedule = make(overlap="cancel")
    spoil(console)
    turn_at(START + MINUTE)
    first = Job.objects.get()
    turn_at(START + 2 * MINUTE, START + 2 * MINUTE)
    first.refresh_from_db()
    assert first.state == "cancelled"
    assert Event.objects.filter(action="job cancelled", actor__username="operator").exists()
    assert [what for _at, what in came(schedule)] == ["fired", "fired"]


def test_cancel_needs_the_owners_right(console: House, make, people, monkeypatch):
    schedule = make(overlap="cancel")
    spoil(console)
    turn_at(START + MINUTE)
    monkeypatch.setitem(rights.ROLES, "operator", rights.ROLES["operator"] - {rights.CANCEL})
    turn_at(START + 2 * MINUTE)
    assert came(schedule)[1] == ("12:02", "skipped")
    assert Job.objects.get().state == "previewing"


OUTAGE = START + 3 * 24 * HOUR  # three days, hourly: 72 times


@pytest.mark.parametrize(
    ("catch_up", "most", "states", "missed"),
    [
        ("none", 5, ["missed", "fired"], 71),
        ("one", 5, ["missed", "fired"], 71),
        ("all", 3, ["missed", "waiting", "waiting", "waiting", "fired"], 68),
    ],
)
def test_a16_after_three_days_away_exactly_the_policy(console: House, make, catch_up, most, states, missed):
    schedule = make(expression="0 * * * *", catch_up=catch_up, catch_up_most=most)
    spoil(console)
    turn_at(OUTAGE + MINUTE)
    found = Slot.objects.filter(schedule=schedule).order_by("slot")
    assert [s.came for s in found] == states
    assert found[0].stands_for == missed
    assert sum(s.stands_for for s in found) == 72
    assert Job.objects.count() == 1


@pytest.mark.parametrize(("catch_up", "states"), [("none", ["missed"]), ("one", ["missed", "fired"])])
def test_a16_where_the_last_time_is_long_past(console: House, make, catch_up, states):
    schedule = make(expression="0 * * * *", catch_up=catch_up)
    spoil(console)
    turn_at(OUTAGE + 30 * MINUTE)
    assert [what for _at, what in came(schedule)] == states


def test_all_are_made_up_for_one_after_the_other(console: House, make):
    schedule = make(expression="0 * * * *", catch_up="all", catch_up_most=3)
    turn_at(OUTAGE + MINUTE)
    assert [what for _at, what in came(schedule)][1:] == ["nothing found"] * 4


@given(
    ages=st.lists(st.integers(0, 100_000), max_size=40, unique=True),
    policy=st.sampled_from(Schedule.CatchUp.values),
    most=st.integers(0, 60),
)
def test_sorting_out_loses_no_time_and_fires_only_the_latest(ages, policy, most):
    now = START
    due = sorted(now - timedelta(seconds=age) for age in ages)
    found = sort_out(due, now, policy, most)
    assert [*found.missed, *found.late, *([found.now] if found.now else [])] == due
    assert (found.now is not None) == bool(due and now - due[-1] <= GRACE)
    assert len(found.late) <= {"none": 0, "one": 1, "all": min(most, 50)}[policy]
    assert policy != "one" or len(found.late) + bool(found.now) == bool(due)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_two_watchers_never_fire_a_slot_twice(console: House, make):
    """Eight of them take the same turn at once, over several slots."""
    schedule = make(expression="0 * * * *", catch_up="all", catch_up_most=3, wanted={"most": 1})
    for day in range(10, 20):  # so that a second job would find another file to be about
        spoil(console, f"202601{day}")
    barrier = Barrier(8)

    def watcher() -> None:
        barrier.wait()
        try:
            for _ in range(3):
                schedules.turn(OUTAGE + MINUTE)
        finally:
            connection.close()

    watchers = [Thread(target=watcher) for _ in range(8)]
    for one in watchers:
        one.start()
    for one in watchers:
        one.join()
    assert Job.objects.count() == 1
    assert [what for _at, what in came(schedule)] == ["missed", "waiting", "waiting", "waiting", "fired"]


@pytest.mark.parametrize("meanwhile", ["settled", "fired", "paused"])
def test_what_changed_while_it_was_planned_keeps_the_job_from_being_made(console: House, make, people, meanwhile):
    """Between the look and the job: another watcher settled the slot, or fired another one, or a person paused it."""
    schedule = make(wanted={"most": 1})
    spoil(console), spoil(console, "20260106")
    if meanwhile == "fired":
        turn_at(START + MINUTE)
    slot = Slot.objects.create(schedule=schedule, slot=START)
    if meanwhile == "settled":
        Slot.objects.update(came="skipped", why="by another")
    elif meanwhile == "paused":
        askers.pause(Schedule.objects.get(), people["ops"], reason="r")
    schedules._ask(slot, START)
    assert Job.objects.count() == (1 if meanwhile == "fired" else 0)
    assert Slot.objects.get(pk=slot.pk).came == ("skipped" if meanwhile == "settled" else "waiting")


def test_a_dead_watcher_leaves_neither_a_job_without_a_slot_nor_a_second_one(console: House, make):
    """It dies after the job was made, before its transaction is committed."""
    schedule = make()
    spoil(console)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        turn_at(START + MINUTE)
        assert Job.objects.count() == 1
        raise ZeroDivisionError
    assert not Job.objects.exists()
    turn_at(START + MINUTE + timedelta(seconds=1))
    assert came(schedule) == [("12:01", "fired")] and Job.objects.count() == 1


def test_a_bad_row_stops_itself_and_no_other(console: House, make):
    spoil(console)
    for name, field, value in (("A", "expression", "never"), ("B", "zone", "Nowhere"), ("C", "wanted", {"most": "x"})):
        bad = make(name)
        Schedule.objects.filter(pk=bad.pk).update(**{field: value})
    good = make("Z")
    turn_at(START + MINUTE)
    assert came(good) == [("12:01", "fired")]
    assert [Schedule.objects.get(name=name).state for name in "AB"] == ["stopped", "stopped"]
    assert "Five fields are needed" in Schedule.objects.get(name="A").why
    assert "filter cannot be used any more: most" in Slot.objects.get(schedule__name="C").why


def test_an_owner_who_lost_the_right_stops_it_clearly(console: House, make, people):
    schedule = make()
    spoil(console)
    rights.give(people["operator"], ["viewer"])
    turn_at(START + MINUTE)
    schedule.refresh_from_db()
    assert schedule.state == "stopped" and "operator may not ask for reprocessing any more" in schedule.why
    assert came(schedule) == [("12:01", "skipped")] and not Job.objects.exists()
    with pytest.raises(NoOwnerError):
        askers.resume(schedule, people["ops"])
    rights.give(people["operator"], ["operator"])
    askers.resume(schedule, people["ops"], until=START + 5 * MINUTE)
    turn_at(START + 6 * MINUTE)
    assert Job.objects.count() == 1


def test_pause_and_resume_need_a_right_a_state_and_leave_events(console: House, make, people):
    schedule = make()
    with pytest.raises(PermissionDenied):
        askers.pause(schedule, people["operator"], reason="r")
    askers.pause(schedule, people["ops"], reason="the supplier moves house")
    assert schedule.why == "ops: the supplier moves house"
    turn_at(START + MINUTE)
    assert not Slot.objects.exists()
    with pytest.raises(StateChangedError):
        askers.pause(schedule, people["ops"], reason="again")
    askers.resume(schedule, people["ops"], until=START + 10 * MINUTE)
    turn_at(START + 10 * MINUTE)
    assert not Slot.objects.exists(), "what fell into the pause is not made up for"
    acts = [e.action for e in Event.objects.filter(subject=f"schedule:{schedule.pk}").order_by("id")]
    assert acts == ["schedule created", "schedule paused", "schedule active"]


def blackout(begins: time, ends: time, days=range(7), zone: str = "UTC") -> Blackout:
    return Blackout.objects.create(weekdays=list(days), begins=begins, ends=ends, zone=zone, reason="nightly loads")


def test_a_change_undoes_no_pause_and_forgets_no_author(console: House, make, people):
    """Of one who had the row in hand while others paused and changed it."""
    schedule = make()
    stale = Schedule.objects.get(pk=schedule.pk)
    other = Schedule.objects.get(pk=schedule.pk)
    askers.save(other, people["administrator"])
    Schedule.objects.filter(pk=schedule.pk).update(until=START + HOUR)
    askers.pause(other, people["ops"], reason="the source is down")
    stale.expression = "5 * * * *"
    askers.save(stale, people["ops"])
    schedule.refresh_from_db()
    assert (schedule.state, schedule.why, schedule.expression) == ("paused", "ops: the source is down", "5 * * * *")
    assert schedule.authors == sorted([people["ops"].pk, people["administrator"].pk])
    assert schedule.until == START + HOUR
    assert stale.state == "paused"


def test_a_blackout_wins(console: House, make):
    blackout(time(12), time(12, 2))
    schedule = make()
    spoil(console)
    turn_at(START + MINUTE, START + 2 * MINUTE)
    assert [what for _at, what in came(schedule)] == ["skipped", "fired"]
    assert Slot.objects.get(came="skipped").why == "Blackout until Monday 12:02 UTC: nightly loads."


def test_a_warehouse_that_is_away_is_waited_for(console: House, make, settings, warehouse_url: str):
    schedule = make(expression="1 12 * * *")
    spoil(console)
    settings.WAREHOUSE_URL = "postgresql://nobody@127.0.0.1:1/none"
    turn_at(START + MINUTE, START + 10 * MINUTE)
    assert came(schedule) == [("12:01", "waiting")]
    settings.WAREHOUSE_URL = warehouse_url
    turn_at(START + 11 * MINUTE)
    assert came(schedule) == [("12:01", "fired")]


def test_a_warehouse_that_stays_away_is_given_up_after_an_hour(console: House, make, settings):
    schedule = make(expression="1 12 * * *")
    settings.WAREHOUSE_URL = "postgresql://nobody@127.0.0.1:1/none"
    turn_at(START + MINUTE, START + 2 * HOUR)
    assert came(schedule) == [("12:01", "failed")]


def test_runs_of_another_job_are_said_to_be_why(console: House, make, people, settings):
    first, second = make("A"), make("B")
    spoil(console)
    turn_at(START + MINUTE)
    assert (came(first), came(second)) == ([("12:01", "fired")], [("12:01", "nothing found")])


def test_an_unforeseen_error_is_kept_and_stops_no_other(console: House, make):
    spoil(console)
    bad, good = make("A", wanted={"why": "failed"}), make("B")
    Schedule.objects.filter(pk=bad.pk).update(wanted=[1])
    turn_at(START + MINUTE)
    assert came(bad) == [("12:01", "failed")] and came(good) == [("12:01", "fired")]


def test_what_came_to_no_job_is_forgotten_after_a_season(console: House, make):
    spoil(console)
    make()
    turn_at(START + MINUTE, START + 2 * MINUTE)
    assert schedules.forget(START + timedelta(days=89)) == 0
    assert schedules.forget(START + timedelta(days=91)) == 1
    assert Slot.objects.get().came == "fired"


def test_the_times_are_told_before_saving_by_what_fires():
    assert slots.next_times("0 * * * *", "UTC", START, 2) == [START + HOUR, START + 2 * HOUR]


def test_deleting_keeps_the_jobs(console: House, make, people):
    schedule = make()
    spoil(console)
    turn_at(START + MINUTE)
    askers.delete(schedule, people["ops"], reason="not needed")
    assert Job.objects.count() == 1 and not Slot.objects.exists()
    assert Event.objects.get(action="schedule deleted").detail["reason"] == "not needed"
