"""The pages and commands of rollouts, by plain requests."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from config.templatetags import restage
from jobs import work
from jobs.models import Job, Plan
from reprocessing import requests, rollout_acts
from reprocessing.planning import Options
from reprocessing.waves import UNTIL_PROMOTED, Rules
from tests.house import House, row
from tests.workers import driven

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def run(console: House):
    for org in "abcd":
        console.write("20260105", *[row(f"{org}{n}", fee="1") for n in range(40)], org=org)
    (loaded,) = console.load().runs
    for org in "abcd":
        console.write("20260105", *[row(f"{org}{n}", fee="2") for n in range(40)], org=org)
    return loaded.load_run_id


@pytest.fixture
def paused(run, people, settings):
    return driven(
        requests.ask_reprocess(
            settings.WAREHOUSE_URL,
            [run],
            Options(),
            reason="rule",
            actor=people["operator"],
            waves=Rules((25, 100), pause_minutes=UNTIL_PROMOTED),
        )
    )


def page(client: Client, job: Job) -> str:
    return client.get(job.get_absolute_url()).content.decode()


WANTED = {"source": "files", "which": "all", "reason": "rule", "publish": "waves", "shares": "25, 100"}


def test_the_form_asks_for_waves(as_, run):
    client = as_("operator")
    shown = client.get(f"/runs/{run}/reprocess/").content.decode()
    assert "In waves, with checks after each" in shown
    refused = client.post(f"/runs/{run}/reprocess/", {**WANTED, "shares": "50, 25"})
    assert refused.status_code == 422 and "each larger than the one before" in refused.content.decode()
    assert not Job.objects.exists()
    asked = client.post(f"/runs/{run}/reprocess/", {**WANTED, "wave_by": "practice", "between": "wait", "minutes": "5"})
    job = Job.objects.select_related("plan").get()
    assert (asked.status_code, asked["Location"]) == (302, job.get_absolute_url())
    assert {name: job.plan.options[name] for name in ("waves", "wave_by", "pause_minutes", "failures")} == {
        "waves": [25, 100],
        "wave_by": "practice",
        "pause_minutes": 5,
        "failures": 0,
    }


def test_the_form_of_what_was_found_asks_for_waves_too(as_, console, people):
    (console.folder / "a_visits_20260105.csv").write_text("spoilt\n")
    console.load()
    console.write("20260105", row("1"))
    client = as_("operator")
    mark = client.get("/discovery/reprocess/").context["mark"]
    client.post("/discovery/reprocess/", {"reason": "mended", "mark": mark, "publish": "waves", "shares": "100"})
    assert Job.objects.get().kind == "rollout"


def test_at_once_stays_the_default(as_, run):
    as_("operator").post(f"/runs/{run}/reprocess/", {"source": "files", "which": "all", "reason": "rule"})
    assert Job.objects.get().kind == "reprocess"


def test_the_page_shows_the_waves_before_and_after_they_are_begun(as_, run, people, settings):
    job = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"], waves=Rules((25, 100))
    )
    work.run(job.pk)
    client = as_("operator")
    shown = page(client, job)
    assert "In 2 waves by file" in shown and shown.count("Waiting</span>") == 2
    assert "Cancel this job" in shown and "Roll it back" not in shown
    driven(job)
    shown = page(client, job)
    assert "Roll it back" in shown and "Roll it back" not in page(as_("viewer"), job)
    assert "All 2 waves are published" in shown and "Wave 1: 40 changes, checks passed" in shown
    assert "Visits: 0.0 % of the records were rejected, 0.0 % before." in shown


def test_a_paused_rollout_offers_what_its_reader_may_do(as_, paused):
    shown = page(as_("operator"), paused)
    assert "Publish wave 2, 120 records" in shown and "Stop and plan the rollback of 1 wave" in shown
    assert "Cancel this job" not in shown
    ops = page(as_("ops"), paused)
    assert "Publish wave 2" not in ops and "Stop here, keep 1 wave" in ops and "plan the rollback" not in ops
    viewer = page(as_("viewer"), paused)
    assert "Paused. Wave 1 passed." in viewer and "Publish wave 2" not in viewer and "Stop here" not in viewer


def test_promoting_goes_on(as_, paused):
    client = as_("operator")
    assert client.post(f"/jobs/{paused.pk}/promotion/", {"which": "next"}).status_code == 302
    paused.refresh_from_db()
    assert paused.state == "running"
    told = client.post(f"/jobs/{paused.pk}/promotion/", {"which": "next"}, follow=True).content.decode()
    assert "Nothing was promoted: the rollout is not waiting any more, or has gone on since." in told
    assert driven(paused).state == "succeeded"


def test_what_is_published_can_be_rolled_back_by_who_may(as_, paused):
    assert "Roll it back" not in page(as_("operator"), paused)
    as_("operator").post(f"/jobs/{paused.pk}/promotion/", {"which": "next"})
    assert driven(paused).state == "succeeded"
    assert "Roll it back" in page(as_("operator"), paused)
    assert "Roll it back" not in page(as_("viewer"), paused)


def test_a_second_click_promotes_nothing_that_it_has_not_seen(as_, run, people, settings):
    job = requests.ask_reprocess(
        settings.WAREHOUSE_URL,
        [run],
        Options(),
        reason="rule",
        actor=people["operator"],
        waves=Rules((25, 50, 100), pause_minutes=UNTIL_PROMOTED),
    )
    job, client = driven(job), as_("operator")
    shown = page(client, job)
    assert '<input type="hidden" name="waiting" value="2">' in shown
    clicked = {"which": "next", "reason": "looks right", "waiting": "2"}
    client.post(f"/jobs/{job.pk}/promotion/", clicked)
    assert driven(job).state == "paused"
    for again in (clicked, {**clicked, "which": "all"}, {**clicked, "waiting": "x"}):
        told = client.post(f"/jobs/{job.pk}/promotion/", again, follow=True).content.decode()
        assert "Nothing was promoted" in told
    assert [wave.state for wave in driven(job).rollout.waves.all()] == ["passed", "passed", "waiting"]


def test_aborting_needs_a_reason_and_stops(as_, paused):
    client = as_("ops")
    told = client.post(f"/jobs/{paused.pk}/abort/", {"then": "keep"}, follow=True).content.decode()
    assert "Say why it is aborted" in told
    refused = client.post(f"/jobs/{paused.pk}/abort/", {"then": "roll back", "reason": "wrong"})
    assert refused.status_code == 403
    assert client.post(f"/jobs/{paused.pk}/abort/", {"then": "keep", "reason": "wrong"}).status_code == 302
    assert driven(paused).state == "cancelled"
    assert "Aborted by ops: wrong. 1 of 2 waves are published" in page(client, paused)


def test_pausing_what_does_not_run_says_so(as_, paused):
    told = as_("ops").post(f"/jobs/{paused.pk}/pause/", follow=True).content.decode()
    assert "Nothing was paused: the rollout is not running." in told


@pytest.mark.parametrize("act", ["promotion", "pause", "abort"])
def test_acts_refuse_get_and_wrong_roles(as_, paused, act):
    url = f"/jobs/{paused.pk}/{act}/"
    assert as_("operator").get(url).status_code == 405
    assert as_("viewer").post(url, {"reason": "r"}).status_code == 403
    assert as_("operator").post(f"/jobs/{paused.plan_id}/{act}/").status_code == 404
    paused.refresh_from_db()
    assert paused.state == "paused"


def test_the_live_part_is_shown_anew_as_a_whole_after_each_wave(as_, paused):
    client = as_("operator")
    live = {"HX-Request": "true", "HX-Target": "live"}
    same = client.get(paused.get_absolute_url(), {"state": "paused 1"}, headers=live)
    assert same.status_code == 200 and "HX-Refresh" not in same.headers
    other = client.get(paused.get_absolute_url(), {"state": "running 0"}, headers=live)
    assert other.headers["HX-Refresh"] == "true"


def command(*words: str, code: int = 0):
    out = StringIO()
    if code:
        with pytest.raises(SystemExit) as refused:
            call_command(*words, "--json", stdout=out, stderr=StringIO())
        assert refused.value.code == code
    else:
        call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_commands_drive_a_rollout(run, people):
    asked = ("reprocess", str(run), "--reason", "r", "--as", "operator")
    assert "--waves: " in command(*asked, "--waves", "5,1", code=2)["error"]
    made = command(*asked, "--waves", "25,100", "--pause-until-promoted", "--wait")
    assert (made["kind"], made["state"]) == ("rollout", "paused")
    shown = command("rollouts", "show", made["job"])
    assert [(wave["state"], wave["records"]) for wave in shown["waves"]] == [("passed", 40), ("waiting", 120)]
    assert "do not let you" in command("rollouts", "promote", made["job"], "--as", "viewer", code=1)["error"]
    assert command("rollouts", "promote", made["job"], "--as", "operator")["state"] == "running"
    assert "Say why" in command("rollouts", "abort", made["job"], "--as", "ops", code=1)["error"]
    assert driven(Job.objects.get(pk=made["job"])).state == "succeeded"
    assert "is not running" in command("rollouts", "pause", made["job"], "--as", "ops", code=1)["error"]
    assert "There is no rollout" in command("rollouts", "show", str(run), code=1)["error"]


def test_of_one_that_is_over_no_wave_waits(as_, paused, people):
    rollout_acts.abort(paused, people["operator"], reason="the rule is wrong")
    job = driven(paused)
    shown = page(as_("viewer"), job)
    assert "Not begun</span>" in shown and "Waiting</span>" not in shown
    out = StringIO()
    call_command("rollouts", "show", str(job.pk), "--json", stdout=out)
    assert [wave["state"] for wave in json.loads(out.getvalue())["waves"]] == ["passed", "not begun"]


def test_the_load_runs_that_it_has_made_so_far_are_told(paused):
    """Of a rollout under way as of one that is over."""
    out = StringIO()
    call_command("rollouts", "show", str(paused.pk), "--json", stdout=out)
    made = paused.children.get().outcome["load_runs"]
    assert json.loads(out.getvalue())["new_load_runs"] == list(made.values()) != []


def test_a_single_wave_is_one_and_a_range_has_two_ends(as_, run, people, settings):
    job = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"], waves=Rules((100,))
    )
    work.run(job.pk)
    client = as_("operator")
    shown = page(client, job)
    assert "In 1 wave by file" in shown and "less than 1 s to less than 1 s" not in shown
    driven(job)
    assert "Its one wave is published" in page(client, job)


@pytest.mark.parametrize(
    ("low", "high", "told"), [(2.1, 2.4, "2 s"), (2.0, 5.0, "2 s to 5 s"), (0.1, 0.9, "less than 1 s")]
)
def test_an_estimate_reads_as_a_range_only_where_it_is_one(low, high, told):
    preview = {"estimate_low": low, "estimate_seconds": high}
    assert restage.expected(Plan(preview=preview)) == told
