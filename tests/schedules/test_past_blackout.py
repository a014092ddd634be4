"""In a blackout window: whoever asks for a job is told and may say why it cannot wait; a dry run need not wait."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from audit.models import Event
from jobs import submission
from jobs.models import Job
from reprocessing import requests, schedules, triggers
from reprocessing.models import Blackout, Sighting, Slot
from reprocessing.planning import Options
from tests.house import row
from tests.schedules.conftest import look, spoil
from tests.workers import finished
from warehouse import freshness
from warehouse.registry import Rule

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def open_now() -> Blackout:
    return Blackout.objects.create(
        weekdays=list(range(7)), begins=time(0), ends=time(0), zone="UTC", reason="nightly loads"
    )


def test_people_are_shown_a_blackout_and_may_say_why_it_cannot_wait(as_, console, open_now):
    run = console.deliver("20260105", row("1"))
    client, filled = as_("operator"), {"source": "files", "which": "all", "reason": "r"}
    page = client.get(f"/runs/{run}/reprocess/").content.decode()
    assert "nightly loads" in page and "Why it cannot wait" in page
    refused = client.post(f"/runs/{run}/reprocess/", filled)
    assert refused.status_code == 200 or refused.status_code == 422
    assert not Job.objects.exists()
    client.post(f"/runs/{run}/reprocess/", {**filled, "past_blackout": "the ward waits"})
    job = Job.objects.get()
    assert "It was asked for all the same: the ward waits" in client.get(job.get_absolute_url()).content.decode()
    event = Event.objects.get(action="blackout overridden")
    assert (event.actor_name, event.subject) == ("operator", f"job:{job.pk}")


def test_so_are_those_who_ask_for_what_was_found(as_, console, open_now):
    spoil(console)
    client = as_("operator")
    shown = client.get("/discovery/reprocess/")
    assert "nightly loads" in shown.content.decode()
    filled = {"mark": shown.context["mark"], "reason": "r"}
    assert client.post("/discovery/reprocess/", filled).status_code == 422
    assert client.post("/discovery/reprocess/", {**filled, "past_blackout": "the ward waits"}).status_code == 302


def test_without_a_blackout_nobody_is_asked_why(as_, console):
    run = console.deliver("20260105", row("1"))
    assert "cannot wait" not in as_("operator").get(f"/runs/{run}/reprocess/").content.decode()


def test_so_are_those_who_retry_a_job(as_, console, people, settings):
    run = spoil(console)
    job = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    submission.cancel(job, people["ops"])
    client, path = as_("operator"), f"/jobs/{job.pk}/retry/"
    assert "Why it cannot wait" not in client.get(job.get_absolute_url()).content.decode()
    Blackout.objects.create(weekdays=list(range(7)), begins=time(0), ends=time(0), zone="UTC", reason="nightly loads")
    assert "Why it cannot wait" in client.get(job.get_absolute_url()).content.decode()
    assert "Nothing was asked for" in client.post(path, follow=True).content.decode()
    assert Job.objects.count() == 1
    client.post(path, {"past_blackout": "the ward waits"})
    assert Event.objects.get(action="blackout overridden").detail["reason"] == "the ward waits"


def test_so_are_those_who_reprocess_what_is_out_of_date(as_, console, open_now):
    console.deliver("20260105", row("1"))
    rule = Rule("fee", "range", "", (0, 100), "reject", "dear")
    console.registry = console.registry.with_versions({"Visits": replace(console.visits, rules=(rule,))})
    (group,) = freshness.find(console.connection, console.registry).groups
    client, path = as_("operator"), f"/freshness/reprocess/?extract=Visits&group={group.mark}"
    shown = client.get(path)
    assert "Why it cannot wait" in shown.content.decode()
    filled = {"mark": shown.context["mark"], "reason": "r"}
    assert client.post(path, filled).status_code == 422 and not Job.objects.exists()
    assert client.post(path, {**filled, "past_blackout": "the ward waits"}).status_code == 302
    assert Job.objects.get().plan.options["past_blackout"]["reason"] == "the ward waits"


def test_a_dry_run_need_not_wait(as_, console, open_now):
    run = console.deliver("20260105", row("1"))
    client = as_("operator")
    assert "A dry run need not wait" in client.get(f"/runs/{run}/reprocess/").content.decode()
    filled = {"source": "files", "which": "all", "reason": "r", "dry_run": "on", "past_blackout": "not needed"}
    assert client.post(f"/runs/{run}/reprocess/", filled).status_code == 302
    assert finished(Job.objects.get()).state == "previewed"
    assert "past_blackout" not in Job.objects.get().plan.options, "it went past nothing"


def test_nor_need_what_asks_for_dry_runs(console, people, make, rule, open_now):
    """By the clock, by hand, and by a rule."""
    spoil(console)
    console.write("20260105", row("1"))
    now = datetime.now(UTC)
    for dry_run, came in ((False, "skipped"), (True, "fired")):
        schedule = make(f"dry run {dry_run}", dry_run=dry_run, until=now.replace(second=0, microsecond=0))
        (upcoming,) = schedules.upcoming("* * * * *", "UTC", now, 1, dry_run=dry_run)
        assert bool(upcoming.held_back) is not dry_run
        schedules.turn(upcoming.moment)
        slot = Slot.objects.get(schedule=schedule)
        assert slot.came == came
        if slot.job:
            finished(slot.job)
    assert schedules.run_now(schedule, people["ops"], now).came == "fired"
    finished(Job.objects.first())
    triggers.take_in(console.connection, now)
    rule("wet"), rule("dry", dry_run=True)
    spoil(console, "20260106")
    look(console, now)
    found = Sighting.objects.order_by("trigger__name").values_list("trigger__name", "came")
    assert list(found) == [("dry", "fired"), ("wet", "blackout")]
