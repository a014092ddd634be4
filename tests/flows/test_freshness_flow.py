"""From what is out of date to one job about it: the numbers on the page are the set that the button acts on."""

import json
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from jobs.models import Job
from reprocessing import requests
from tests.house import House, row
from tests.workers import finished
from warehouse.registry import Rule

pytestmark = pytest.mark.django_db(databases="__all__")
DEAR = Rule("fee", "range", "", (0, 100), "reject", "dear")


def declare(house: House, **changes) -> None:
    house.registry = house.registry.with_versions({"Visits": replace(house.visits, **changes)})


@pytest.fixture
def outdated(console: House) -> House:
    """Two files that a new rule is about."""
    console.deliver("20260105", row("1", fee="500"), row("2"))
    console.deliver("20260106", row("3"))
    declare(console, rules=(DEAR,))
    return console


def answer(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command("outdated", *words, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_a_new_rule_is_one_job_from_raw_and_then_everything_is_current(outdated: House, as_):
    found = answer()
    assert (found["live"], found["current"], found["outdated"], found["unknown"]) == (2, 0, 2, 0)
    (group,) = found["groups"]
    assert (group["differences"], group["way"], group["files"]) == (["rule on fee added"], "raw", 2)
    operator = as_("operator")
    page = operator.get("/freshness/").content.decode()
    assert "Reprocess 2 files of 2 load runs" in page and "Rule on fee added" in page
    where = f"/freshness/reprocess/?extract=Visits&group={group['group']}"
    shown = operator.get(where)
    assert (len(shown.context["taken"]), shown.context["runs"]) == (2, 2)
    gone = operator.post(where, {"mark": shown.context["mark"], "reason": "the new rule"})
    job = Job.objects.get()
    assert gone.headers["Location"] == job.get_absolute_url()
    assert answer()["groups"][0]["taken"] == 0, "they are in a job now"
    job = finished(job)
    assert (job.state, job.plan.options["source"]) == ("succeeded", "raw")
    assert job.plan.preview and job.plan.preview["declarations"][0]["differences"] == ["rule on fee added"]
    assert sorted(outdated.staged()) == ["2", "3"]
    assert (answer()["current"], answer()["groups"], outdated.violations()) == (2, [], 0)
    assert "Since then: rule on fee added" in operator.get(job.get_absolute_url()).content.decode()
    assert "up to date" in operator.get("/freshness/").content.decode()


def test_what_changed_since_it_was_shown_is_not_asked_for(outdated: House, as_):
    where = f"/freshness/reprocess/?extract=Visits&group={answer()['groups'][0]['group']}"
    operator = as_("operator")
    mark = operator.get(where).context["mark"]
    former = outdated.registry
    declare(outdated, rules=())
    outdated.deliver("20260107", row("4"))
    outdated.registry = former
    refused = operator.post(where, {"mark": mark, "reason": "r"})
    assert (refused.status_code, "has changed since it was shown" in refused.content.decode()) == (422, True)
    assert operator.post(where, {"mark": refused.context["mark"], "reason": " "}).status_code == 422
    assert not Job.objects.exists()


def test_a_group_that_is_gone_and_one_that_needs_hands_are_refused(outdated: House, as_):
    operator = as_("operator")
    gone = operator.post("/freshness/reprocess/?extract=Visits&group=0123456789", {"mark": "", "reason": "r"})
    assert "not of date" not in gone.content.decode() and "any more" in gone.content.decode()
    declare(outdated, natural_key=("visit_id", "note"))
    (group,) = answer()["groups"]
    assert group["way"] == "by hand"
    assert "/freshness/reprocess/" not in operator.get("/freshness/").content.decode()
    refused = operator.post(f"/freshness/reprocess/?extract=Visits&group={group['group']}", {"mark": "", "reason": "r"})
    assert "drop the old unique index" in refused.content.decode()
    assert not Job.objects.exists()


def test_a_file_delivered_anew_is_found_when_asked_and_read_again(console: House, as_):
    console.deliver("20260105", row("1"))
    console.deliver("20260106", row("2"))
    console.write("20260105", row("1", fee="11"))
    path = console.folder / "a_visits_20260106.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert answer()["outdated"] == 0, "it costs reading every file, so it is asked for"
    found = answer("--sources")
    assert found["sources"]["verdicts"] == {"changed": 1, "cosmetic": 1}
    (group,) = found["groups"]
    assert (group["way"], group["files"], found["notes"][0]["files"]) == ("files", 1, 1)
    operator = as_("operator")
    where = f"/freshness/reprocess/?extract=Visits&group={group['group']}"
    operator.post(where, {"mark": operator.get(where).context["mark"], "reason": "sent anew"})
    assert finished(Job.objects.first()).state == "succeeded"
    assert console.staged()["1"][0] == "11.00"
    assert answer("--sources")["sources"]["verdicts"] == {"cosmetic": 1, "same": 1}


def test_the_page_compares_by_a_button_that_needs_the_right(console: House, as_):
    console.deliver("20260105", row("1"))
    console.write("20260106", row("2"))
    assert as_("viewer").post("/freshness/compare/").status_code == 403
    assert as_("operator").get("/freshness/compare/").status_code == 405
    told = as_("operator").post("/freshness/compare/?extract=Visits", follow=True).content.decode()
    assert "1 files compared: 1 same." in told and "1 at the source are not loaded yet" in told
    assert "1 of 1 live files" in told


def test_each_file_says_why_it_is_in_the_list(outdated: House, as_):
    viewer = as_("viewer")
    (run,) = outdated.connection.execute("SELECT load_run_id FROM etl.load_run_files LIMIT 1").fetchone() or (None,)
    assert "/freshness/files/1/" in viewer.get(f"/runs/{run}/").content.decode()
    page = viewer.get("/freshness/files/1/").content.decode()
    assert "Out of date" in page and "Rule on fee added" in page and "Folding its raw records again" in page
    declare(outdated, rules=())
    assert "declaration and the code that are in force" in viewer.get("/freshness/files/1/").content.decode()
    outdated.connection.execute("DELETE FROM restage.builds")
    assert "loaded before Restage kept" in viewer.get("/freshness/files/1/").content.decode().lower().replace(
        "restage", "Restage"
    )
    assert viewer.get("/freshness/files/999/").status_code == 404


def test_pages_refuse_who_may_not_and_what_makes_no_sense(outdated: House, as_):
    viewer = as_("viewer")
    assert viewer.get("/freshness/?extract=Nonsense").status_code == 200
    assert viewer.get("/freshness/reprocess/").status_code == 403
    assert "Reprocess 2" not in viewer.get("/freshness/").content.decode()
    with pytest.raises(SystemExit) as stopped:
        call_command("outdated", "--extract", "Nonsense", stderr=StringIO())
    assert stopped.value.code == 2


def test_in_words_the_sums_add_up(outdated: House):
    out = StringIO()
    call_command("outdated", stdout=out)
    assert "2 live files = 0 current + 2 out of date + 0 unknown + 0 undeclared." in out.getvalue()
    assert "Visits: 2 files: rule on fee added: fold the raw records again" in out.getvalue()


def test_a_job_takes_no_more_than_it_should(outdated: House, as_, monkeypatch):
    monkeypatch.setattr(requests, "MOST_OUTDATED", 1)
    operator = as_("operator")
    where = f"/freshness/reprocess/?extract=Visits&group={answer()['groups'][0]['group']}"
    shown = operator.get(where)
    assert (len(shown.context["taken"]), shown.context["later"]) == (1, 1)
    operator.post(where, {"mark": shown.context["mark"], "reason": "r"})
    assert finished(Job.objects.first()).state == "succeeded"
    assert (answer()["outdated"], answer()["current"]) == (1, 1)
