"""Whatever a rule sees comes to a job through the gate, or is kept with the reason why not."""

from datetime import UTC, datetime, time, timedelta
from threading import Barrier, Thread
from uuid import UUID

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from access import rights
from audit.models import Event
from jobs.models import Job
from jobs.submission import AlreadyActiveError
from reprocessing import askers, requests, triggers
from reprocessing.models import Blackout, Sighting, Trigger
from reprocessing.planning import Options
from reprocessing.triggers import Batch
from tests.house import House, row
from tests.schedules.conftest import HOUR, MINUTE, START, cancel, look, spoil
from tests.workers import finished

pytestmark = pytest.mark.django_db(databases="__all__")
SECOND = timedelta(seconds=1)
HALF = [row("1"), row("2", seen="never")]


def what_came() -> list[str]:
    return [s.came for s in Sighting.objects.order_by("pk")]


def why() -> str:
    return Sighting.objects.order_by("-pk")[0].why


def test_a_failed_run_becomes_a_job_about_its_failed_files(console: House, rule, people):
    trigger = rule()
    run = spoil(console)
    console.write("20260105", row("1"))
    look(console)
    job = Job.objects.get()
    assert (job.plan.load_runs, job.requested_by, job.plan.options["which"]) == ([run], people["operator"], "failed")
    assert job.plan.reason == "Trigger Retry: 1 file of Visits failed"
    assert job.plan.options["origin"]["told"] == "trigger Retry" and job.plan.options["origin"]["depth"] == 1
    assert job.asked_by == {people["operator"].pk, people["ops"].pk}
    sighting = Sighting.objects.get()
    assert (sighting.came, sighting.job, sighting.trigger) == ("fired", job, trigger)
    assert Event.objects.get(action="trigger fired").detail["job"] == str(job.pk)
    assert finished(job).state == "succeeded"
    look(console, START + HOUR)
    assert what_came() == ["fired"] and console.violations() == 0


def test_a_good_run_or_one_that_still_goes_is_no_failure(console: House, rule):
    rule()
    console.deliver("20260105", row("1"))
    run = spoil(console, "20260106")
    console.connection.execute("UPDATE etl.load_runs SET status = 'running' WHERE load_run_id = %s", [run])
    look(console)
    assert what_came() == []
    console.connection.execute("UPDATE etl.load_runs SET status = 'failed' WHERE load_run_id = %s", [run])
    look(console)
    assert what_came() == ["fired"]


def test_what_happened_before_the_rule_or_while_it_was_paused_is_not_its_matter(console: House, rule, people):
    spoil(console)
    look(console)
    trigger = rule()
    askers.pause(trigger, people["ops"], reason="r")
    spoil(console, "20260106")
    look(console)
    askers.resume(trigger, people["ops"])
    look(console)
    assert what_came() == []


def test_nothing_is_missed_while_no_watcher_runs(console: House, rule):
    rule(budget=100)
    for day in range(10, 15):
        spoil(console, f"202601{day}")
    look(console)
    assert len(what_came()) == 5 and set(what_came()) == {"fired"}
    assert len(Job.objects.get().plan.load_runs) == 5, "one job for all"


def test_of_other_extracts_it_sees_nothing(console: House, rule):
    rule(extract="Calls")
    spoil(console)
    look(console)
    assert what_came() == []


def test_it_waits_for_quiet_and_asks_once_for_all(console: House, rule):
    rule(quiet=60)
    for minute, day in enumerate(("10", "11", "12")):
        spoil(console, f"202601{day}")
        look(console, START + minute * 30 * SECOND)
    assert what_came() == ["waiting"] * 3
    look(console, START + 119 * SECOND)
    assert not Job.objects.exists()
    look(console, START + 120 * SECOND)
    assert what_came() == ["fired"] * 3
    assert len(Job.objects.get().plan.load_runs) == 3


def test_where_there_is_never_quiet_it_asks_at_last(console: House, rule):
    rule(quiet=60)
    for number in range(12):
        spoil(console, f"202601{number + 10}")
        look(console, START + number * 55 * SECOND)
    assert Job.objects.count() == 1


def test_a_repeat_of_one_run_is_debounced(console: House, rule):
    rule(quiet=60)
    run = spoil(console)
    look(console)
    console.connection.execute("UPDATE etl.load_runs SET status = 'running' WHERE load_run_id = %s", [run])
    console.connection.execute("UPDATE etl.load_runs SET status = 'failed' WHERE load_run_id = %s", [run])
    look(console, START + SECOND)
    look(console, START + 2 * MINUTE)
    assert what_came() == ["debounced", "fired"]


def test_it_cools_down_per_extract(console: House, rule):
    rule(cooldown=600)
    spoil(console)
    look(console)
    spoil(console, "20260106")
    look(console, START + 9 * MINUTE)
    assert what_came() == ["fired", "cooling down"]
    assert why() == "It asked for a job of Visits less than 600 s ago."
    (console.folder / "a_calls_20260107.csv").write_text("spoilt\n")
    console.load()
    spoil(console, "20260108")
    look(console, START + 11 * MINUTE)
    assert what_came() == ["fired", "cooling down", "fired", "fired"]


def test_its_budget_is_of_an_hour(console: House, rule):
    rule(budget=2)
    for minute, day in enumerate(("10", "11", "12")):
        spoil(console, f"202601{day}")
        look(console, START + minute * MINUTE)
    assert what_came() == ["fired", "fired", "budget spent"]
    spoil(console, "20260113")
    look(console, START + HOUR + 2 * MINUTE)
    assert what_came()[-1] == "fired"


def test_a27_a_rule_that_causes_itself_stops_at_depth_three_and_says_so_once(console: House, rule):
    rule(kind="reject rate", threshold=0.1)
    console.deliver("20260105", *HALF)
    for turn in range(8):
        look(console, START + turn * MINUTE)
        for job in Job.objects.filter(state__in=Job.WORKABLE):
            assert finished(job).state == "succeeded"
    assert what_came() == ["fired", "fired", "fired", "too deep"]
    assert [s.depth for s in Sighting.objects.order_by("pk")] == [1, 2, 3, 4]
    assert [j.plan.options["origin"]["depth"] for j in Job.objects.order_by("created_at")] == [1, 2, 3]
    assert Event.objects.filter(action="trigger stopped at its depth").count() == 1
    assert console.violations() == 0


def test_an_owner_who_lost_the_right_stops_it(console: House, rule, people):
    trigger = rule()
    rights.give(people["operator"], ["viewer"])
    spoil(console)
    look(console)
    trigger.refresh_from_db()
    assert (what_came(), trigger.state) == (["no right"], "stopped")
    assert "may not ask for reprocessing any more" in trigger.why


def test_a_run_with_an_active_job_is_left_to_it(console: House, rule, people, settings):
    rule("First"), rule("Second")
    spoil(console)
    look(console)
    assert sorted(what_came()) == ["already active", "fired"]
    assert str(Job.objects.get().pk) in Sighting.objects.get(came="already active").why


def test_only_runs_that_are_taken_are_left_to_another_job(console: House, rule, people, settings):
    """Two watchers that see overlapping sets of runs: what the quicker one did not take is not forgotten."""
    trigger = rule()
    runs = [spoil(console), spoil(console, "20260106")]
    triggers.take_in(console.connection, START)
    batch = Batch(trigger, "Visits", tuple(Sighting.objects.select_related("trigger__owner").order_by("pk")))
    job = requests.ask_reprocess(
        settings.WAREHOUSE_URL, runs[:1], Options(), reason="r", actor=people["operator"], dry_run=True
    )
    triggers._left_to_others(batch, AlreadyActiveError(runs[0], job), START)
    assert came_of(*runs) == ["already active", "waiting"]
    look(console)
    assert came_of(*runs) == ["already active", "fired"]


def test_what_waits_for_the_triggers_own_job_about_the_run_is_not_forgotten(console: House, rule, people, settings):
    """Of several extracts of one run the first has its job; the others are asked for once it is over."""
    trigger, run = rule(), spoil(console)
    triggers.take_in(console.connection, START)
    batch = Batch(trigger, "Visits", tuple(Sighting.objects.select_related("trigger__owner")))
    job = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    job.plan.options["origin"] = {"told": "trigger", "path": trigger.get_absolute_url()}
    job.plan.save(update_fields=["options"])
    triggers._left_to_others(batch, AlreadyActiveError(run, job), START)
    assert came_of(run) == ["waiting"]


def came_of(*runs: UUID) -> list[str]:
    return [Sighting.objects.get(load_run_id=run).came for run in runs]


def test_in_a_blackout_it_asks_for_nothing(console: House, rule):
    Blackout.objects.create(weekdays=list(range(7)), begins=time(0), ends=time(0), zone="UTC", reason="nightly loads")
    rule()
    spoil(console)
    look(console, datetime.now(UTC))
    assert what_came() == ["blackout"] and "nightly loads" in why()


def test_a_paused_rule_lets_go_of_what_waits(console: House, rule, people):
    trigger = rule(quiet=60)
    spoil(console)
    look(console)
    askers.pause(trigger, people["ops"], reason="r")
    look(console, START + 2 * MINUTE)
    assert what_came() == ["paused"]


def test_with_nothing_to_read_it_says_so(console: House, rule):
    rule()
    run = spoil(console)
    (console.folder / "a_visits_20260105.csv").unlink()
    look(console)
    assert what_came() == ["nothing to do"] and str(run) in why()


def test_a_warehouse_that_is_away_is_waited_for(console: House, rule, settings, warehouse_url: str):
    rule()
    spoil(console)
    settings.WAREHOUSE_URL = "postgresql://nobody@127.0.0.1:1/none"
    look(console)
    assert what_came() == ["waiting"]
    settings.WAREHOUSE_URL = warehouse_url
    look(console)
    assert what_came() == ["fired"]


def test_a_watcher_that_dies_before_it_has_noted_what_it_read_reads_it_again(console: House, rule):
    rule()
    spoil(console)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        look(console)
        assert what_came() == ["fired"]
        raise ZeroDivisionError
    assert (what_came(), Job.objects.count()) == ([], 0)
    look(console)
    assert (what_came(), Job.objects.count()) == (["fired"], 1)


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_eight_watchers_fire_once(console: House, rule, warehouse_url: str):
    rule(budget=1)
    spoil(console)
    barrier = Barrier(8)

    def watcher() -> None:
        try:
            with psycopg.connect(warehouse_url, autocommit=True) as ear:
                barrier.wait()
                for _ in range(3):
                    triggers.take_in(ear, START)
                    triggers.judge(warehouse_url, START)
        finally:
            connection.close()

    watchers = [Thread(target=watcher) for _ in range(8)]
    for one in watchers:
        one.start()
    for one in watchers:
        one.join()
    assert (what_came(), Job.objects.count()) == (["fired"], 1)


@pytest.mark.parametrize("meanwhile", ["decided", "spent", "paused"])
def test_what_changed_while_it_was_planned_keeps_the_job_from_being_made(console: House, rule, people, meanwhile):
    trigger = rule(budget=1)
    spoil(console)
    triggers.take_in(console.connection, START)
    batch = Batch(trigger, "Visits", tuple(Sighting.objects.select_related("trigger__owner")))
    if meanwhile == "decided":
        Sighting.objects.update(came="blackout")
    elif meanwhile == "spent":
        fired = {"came": "fired", "decided_at": START, "seen_at": START, "told": "another"}
        Sighting.objects.create(trigger=trigger, extract="Calls", mark="x", **fired)
        Sighting.objects.filter(mark="x").update(job=None)
    else:
        askers.pause(Trigger.objects.get(), people["ops"], reason="r")
    triggers._ask(str(settings.WAREHOUSE_URL), batch, START)
    assert Job.objects.count() == 0
    assert Sighting.objects.get(mark=batch.sightings[0].mark).came == (
        "blackout" if meanwhile == "decided" else "waiting"
    )


def test_writing_one_needs_the_right(console: House, rule, people):
    trigger = rule()
    for act in (lambda who: askers.save(trigger, who), lambda who: askers.pause(trigger, who, reason="r")):
        with pytest.raises(PermissionDenied):
            act(people["operator"])


def test_what_came_to_no_job_is_forgotten_after_a_season(console: House, rule):
    rule(cooldown=600)
    for day in ("10", "11"):
        spoil(console, f"202601{day}")
        look(console)
    assert triggers.forget(START + timedelta(days=89)) == 0
    assert triggers.forget(START + timedelta(days=91)) == 1
    assert what_came() == ["fired"]


def test_cancelling_its_job_does_not_bring_it_back(console: House, rule):
    rule()
    spoil(console)
    look(console)
    cancel(Job.objects.get())
    look(console, START + HOUR)
    assert Job.objects.count() == 1
