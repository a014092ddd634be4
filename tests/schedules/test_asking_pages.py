"""The pages of schedules, triggers and blackout windows by plain requests."""

from datetime import time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from access import rights
from audit.models import Event
from jobs.models import Job
from reprocessing import bookmarks
from reprocessing.models import Blackout, Schedule, Sighting, Slot, Trigger
from tests.pages.test_hostile import ODD
from tests.proofs import further
from tests.schedules.conftest import MINUTE, START, look, spoil, turn_at

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def filled(people) -> dict[str, Any]:
    return {"name": "Nightly", "expression": "30 2 * * *", "zone": "Pacific/Auckland", "owner": people["operator"].pk,
            "overlap": "skip", "catch_up": "none", "catch_up_most": "5", "why": "failed", "most": "20"}  # fmt: skip


@pytest.fixture
def filled_rule(people) -> dict[str, Any]:
    return {"name": "Retry", "kind": "reject rate", "threshold": "7.5", "quiet": "30", "cooldown": "900",
            "budget": "10", "owner": people["operator"].pk}  # fmt: skip


@pytest.mark.parametrize("role", list(rights.ROLES))
def test_everybody_sees_and_only_those_with_the_right_write(as_, make, rule, filled, filled_rule, role):
    schedule, trigger = make("Known"), rule()
    client, manages = as_(role), role in ("ops", "administrator")
    for path in ("/schedules/", schedule.get_absolute_url(), trigger.get_absolute_url()):
        page = client.get(path)
        assert page.status_code == 200 and ("/new/" in page.content.decode()) == (manages and path == "/schedules/")
    for path in ("new/", f"{schedule.pk}/edit/", "triggers/new/", f"triggers/{trigger.pk}/edit/", "blackouts/new/"):
        assert client.get(f"/schedules/{path}").status_code == (200 if manages else 403), path
    for path in (f"{schedule.pk}/run/", f"schedule/{schedule.pk}/pause/", f"trigger/{trigger.pk}/delete/"):
        assert client.get(f"/schedules/{path}").status_code in (405, 403)
        assert client.post(f"/schedules/{path}").status_code == (302 if manages else 403), path


def test_a_schedule_is_made_shown_changed(as_, filled, people):
    client = as_("ops")
    answer = client.post("/schedules/new/", filled)
    schedule = Schedule.objects.get()
    assert answer.url == schedule.get_absolute_url()
    assert schedule.wanted == {"why": "failed", "most": 20}
    assert (schedule.authors, schedule.owner) == ([people["ops"].pk], people["operator"])
    page = client.get(answer.url).content.decode()
    for told in ("02:30", "Pacific/Auckland", "on behalf of operator", "Failed", "NZ"):
        assert told in page
    until = schedule.until
    client.post(f"{answer.url}edit/", {**filled, "name": "Every night"})
    schedule.refresh_from_db()
    assert (schedule.name, schedule.until) == ("Every night", until)
    client.post(f"{answer.url}edit/", {**filled, "expression": "0 3 * * *"})
    schedule.refresh_from_db()
    assert schedule.until > until, "new times count from now on"
    acts = [e.action for e in Event.objects.filter(subject=f"schedule:{schedule.pk}").order_by("id")]
    assert acts == ["schedule created", "schedule changed", "schedule changed"]


def test_its_next_times_are_shown_before_it_is_saved(as_, filled):
    client = as_("ops")
    answer = client.post("/schedules/new/", {**filled, "look": "1"})
    assert answer.status_code == 200 and len(answer.context["times"]) == 5
    assert not Schedule.objects.exists()
    part = client.get("/schedules/new/", filled, headers={"HX-Request": "true", "HX-Target": "times"})
    page = part.content.decode()
    assert "<html" not in page and page.count("<li>") == 5 and "02:30 NZDT" in page


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("expression", "61 * * * *", "cannot be read"),
        ("expression", "0 0 30 2 *", "cannot be read"),
        ("zone", "Mars/Olympus", "no such time zone"),
        ("name", "", "This field is required"),
        ("catch_up_most", "51", "1 to 50"),
        ("owner", "999999", "Select a valid choice"),
        ("extract", "Nonsense", "Select a valid choice"),
        ("older_than", "-1", "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_meant_comes_back_with_its_reason(as_, filled, field, value, told):
    answer = as_("ops").post("/schedules/new/", {**filled, field: value})
    assert answer.status_code == 422 and told in answer.content.decode()
    assert not Schedule.objects.exists()


def test_a_name_is_taken_once_and_an_owner_must_have_the_right(as_, filled, people):
    client = as_("ops")
    client.post("/schedules/new/", filled)
    assert "There is a schedule of this name" in client.post("/schedules/new/", filled).content.decode()
    answer = client.post("/schedules/new/", {**filled, "name": "B", "owner": people["viewer"].pk})
    assert answer.status_code == 422 and Schedule.objects.count() == 1


def test_ask_once_pause_resume_delete(as_, console, make):
    schedule = make()
    run = spoil(console)
    client, path = as_("ops"), f"/schedules/schedule/{schedule.pk}"
    answer = client.post(f"/schedules/{schedule.pk}/run/")
    job = Job.objects.get()
    assert answer.url == job.get_absolute_url() and job.plan.load_runs == [run]
    shown = client.get(job.get_absolute_url()).content.decode()
    assert f'ops (who ran <a href="/schedules/{schedule.pk}/">schedule Nightly</a> of operator)' in shown
    assert "schedule Nightly</a> of operator)" in client.get("/jobs/").content.decode()
    assert "by hand: ops" in client.get(schedule.get_absolute_url()).content.decode()
    assert "No job was made." in client.post(f"/schedules/{schedule.pk}/run/", follow=True).content.decode()
    assert "say why" in client.post(f"{path}/pause/", {"reason": " "}, follow=True).content.decode()
    assert (
        "Paused by ops: too much" in client.post(f"{path}/pause/", {"reason": "too much"}, follow=True).content.decode()
    )
    assert "was paused already" in client.post(f"{path}/pause/", {"reason": "r"}, follow=True).content.decode()
    assert "asks again" in client.post(f"{path}/resume/", follow=True).content.decode()
    assert "was active already" in client.post(f"{path}/resume/", follow=True).content.decode()
    client.post(f"{path}/delete/", {"reason": ""})
    assert Schedule.objects.exists()
    client.post(f"{path}/delete/", {"reason": "not needed"})
    assert not Schedule.objects.exists()
    assert client.get(job.get_absolute_url()).status_code == 200
    assert client.post("/schedules/nothing/1/pause/", {"reason": "r"}).status_code == 404


def test_what_came_of_each_time_is_told(as_, console, make):
    schedule = make()
    Blackout.objects.create(weekdays=[0], begins=time(12, 2), ends=time(12, 3), zone="UTC", reason="<b>loads</b>")
    spoil(console)
    turn_at(START + MINUTE, START + 2 * MINUTE, START + 3 * MINUTE, START + timedelta(days=3))
    page = as_("viewer").get(schedule.get_absolute_url()).content.decode()
    for told in ("Job asked for", "Skipped", "Missed", "× 4,316", "&lt;b&gt;loads&lt;/b&gt;", "of an earlier time is"):
        assert told in page, told
    assert sum(s.stands_for for s in Slot.objects.all()) == 3 * 24 * 60


def test_a_trigger_is_made_shown_changed(as_, console, filled_rule):
    client = as_("administrator")
    answer = client.post("/schedules/triggers/new/", filled_rule)
    trigger = Trigger.objects.get()
    assert (answer.url, trigger.threshold) == (trigger.get_absolute_url(), 0.075)
    assert "More than 7.5 %" in client.get(answer.url).content.decode()
    assert 'value="7.5"' in client.get(f"{answer.url}edit/").content.decode()
    client.post(f"{answer.url}edit/", {**filled_rule, "kind": "run failed", "quiet": "0"})
    trigger.refresh_from_db()
    assert (trigger.kind, trigger.threshold) == ("run failed", None)
    spoil(console)
    look(console)
    page = client.get(answer.url).content.decode()
    assert "1 file of Visits failed" in page and "Job asked for" in page
    assert client.post("/schedules/triggers/new/", {**filled_rule, "threshold": ""}).status_code == 422
    assert (
        "trigger Retry</a> on behalf of operator" in client.get(Job.objects.get().get_absolute_url()).content.decode()
    )
    assert Sighting.objects.count() == 1


def test_a_blackout_is_added_shown_removed(as_, console, make):
    client = as_("ops")
    make()
    filled = {"weekdays": ["0", "1", "2"], "begins": "22:00", "ends": "04:00", "zone": "UTC", "reason": "nightly loads"}
    assert client.post("/schedules/blackouts/new/", {**filled, "weekdays": []}).status_code == 422
    assert client.post("/schedules/blackouts/new/", {**filled, "begins": "25:00"}).status_code == 422
    client.post("/schedules/blackouts/new/", filled)
    window = Blackout.objects.get()
    page = client.get("/schedules/").content.decode()
    assert "Monday to Wednesday" in page and "nightly loads" in page
    assert as_("operator").post(f"/schedules/blackouts/{window.pk}/remove/").status_code == 403
    client.post(f"/schedules/blackouts/{window.pk}/remove/")
    assert [e.action for e in Event.objects.filter(subject__startswith="blackout").order_by("id")] == [
        "blackout added",
        "blackout removed",
    ]


def test_the_list_says_whether_a_watcher_runs(as_, console):
    client = as_("viewer")
    assert "No watcher runs" in client.get("/schedules/").content.decode()
    bookmarks.alive("host:1", timezone.now())
    assert "No watcher runs" not in client.get("/schedules/").content.decode()
    bookmarks.alive("host:1", timezone.now() - timedelta(minutes=5))
    assert "the last sign of life was" in client.get("/schedules/").content.decode()


@pytest.mark.parametrize("odd", further(ODD, tried=2))
def test_an_odd_value_in_any_field_is_answered(as_, make, rule, filled, filled_rule, odd):
    client, schedule, trigger = as_("administrator"), make("Known"), rule()
    for path, fields in (("new/", filled), ("triggers/new/", filled_rule), ("blackouts/new/", {"weekdays": "0"})):
        for name in fields:
            assert client.post(f"/schedules/{path}", {**fields, name: odd}).status_code in (200, 302, 422), (path, name)
            assert client.get(f"/schedules/{path}", {**fields, name: odd}).status_code == 200
    for path in (f"schedule/{schedule.pk}/pause/", f"trigger/{trigger.pk}/pause/"):
        assert client.post(f"/schedules/{path}", {"reason": odd}).status_code == 302
    assert client.post(f"/schedules/{schedule.pk}/run/", {"past_blackout": odd}).status_code == 302
    assert client.get(f"/schedules/{schedule.pk}/", {"page": odd}).status_code == 200


def test_what_was_spoilt_in_the_tables_is_still_shown(as_, make, rule):
    schedule, trigger = make(), rule()
    Schedule.objects.update(expression="never", zone="Nowhere", wanted=[1])
    Trigger.objects.update(kind="gone")
    for path in ("/schedules/", schedule.get_absolute_url(), trigger.get_absolute_url()):
        assert as_("viewer").get(path).status_code == 200
    assert as_("ops").get(f"/schedules/{schedule.pk}/edit/").status_code == 200
    assert as_("ops").get(f"/schedules/triggers/{trigger.pk}/edit/").status_code == 200


def test_the_zone_of_a_schedule_is_the_one_that_is_selected(as_, make):
    schedule = make()
    page = as_("ops").get(f"/schedules/{schedule.pk}/edit/").content.decode()
    assert page.count(" selected>") >= 1 and f'<option value="{schedule.zone}" selected>' in page
    assert page.count("<option") > 400
