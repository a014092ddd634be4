"""The pages of lineage: from a run to its rows, from a key to its file, who may, and what the trail keeps."""

import pytest
from django.urls import reverse

from audit.models import Event
from jobs import work
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row
from warehouse import chains

pytestmark = pytest.mark.django_db(databases="__all__")
SECRET = "kōwhai"


@pytest.fixture
def told_twice(console: House, people, settings) -> Job:
    """A run that was reprocessed: visit 1 stays, 2 changes, 3 goes; its values have a mark."""
    run = console.deliver("20260105", row("1", note=SECRET), row("2"), row("3"), row("4", seen="x"))
    console.write("20260105", row("1", note=SECRET), row("2", note=SECRET))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="rule 7", actor=people["operator"])
    for _ in range(2):
        work.run(asked.pk)
    return Job.objects.get(pk=asked.pk)


def test_from_a_key_to_file_line_and_people_and_back(console: House, told_twice: Job, as_):
    client, (old,) = as_("operator"), told_twice.about
    assert told_twice.outcome
    (new,) = told_twice.outcome["load_runs"].values()
    assert 'aria-label="From delivered files' in client.get("/lineage/").content.decode()
    answer = client.post("/lineage/?table=visits", {"visit_id": "2", "look-why": "a complaint"})
    page = answer.content.decode()
    assert "Line 3, record 2" in page and "rule 7" in page and "operator" in page and str(told_twice.pk) in page
    assert SECRET not in page and "xxxxxx" in page and answer.headers["Cache-Control"] == "no-store"
    event = Event.objects.get(action="row traced")
    assert (event.reason, event.subject) == ("a complaint", "table:visits") and "2" not in event.detail.values()
    gone = client.post("/lineage/?table=visits", {"visit_id": "3", "look-why": "why"}).content.decode()
    assert "a job removed it" in gone and str(told_twice.pk) in gone

    run = client.get(f"/lineage/runs/{old}/").content.decode()
    assert "0</span> rows of it are" not in run and str(new)[:8] in run and reverse("job", args=[told_twice.pk]) in run
    (link,) = chains.of_run(console.connection, old)
    file = client.get(f"/lineage/files/{link.load_run_file_id}/").content.decode()
    assert "Rejected: seen_on: not a date" in file and SECRET not in file
    record = f"/lineage/files/{link.load_run_file_id}/records/1/"
    assert record in file
    story = client.get(record).content.decode()
    assert "of a later attempt at this file" in story
    assert f"/lineage/runs/{old}/" in client.get(f"/runs/{old}/").content.decode()
    assert f"/lineage/runs/{old}/" in client.get(f"/jobs/{told_twice.pk}/").content.decode()


def test_values_are_shown_to_who_may_see_them_and_says_why(console: House, as_):
    (link,) = chains.of_run(console.connection, console.deliver("20260105", row("1", note=SECRET)))
    url = f"/lineage/files/{link.load_run_file_id}/records/1/"
    assert as_("operator").post(url, {"purpose": "curious"}).status_code == 403
    assert as_("administrator").post(url, {"purpose": " "}).status_code == 422
    assert not Event.objects.filter(action="row values revealed").exists()
    assert SECRET in as_("administrator").post(url, {"purpose": "a complaint"}).content.decode()
    event = Event.objects.get(action="row values revealed")
    assert (event.reason, event.detail["file"], event.detail["record"]) == ("a complaint", link.load_run_file_id, 1)
    checked = as_("operator").post(url, {"check": "1"}).content.decode()
    assert "holds this very record there" in checked


def test_who_may_not_trace_sees_the_runs_all_the_same(console: House, as_):
    run = console.deliver("20260105", row("1"))
    client, (link,) = as_("viewer"), chains.of_run(console.connection, run)
    assert client.get(f"/lineage/runs/{run}/").status_code == 200
    assert "/records/" not in client.get(f"/lineage/files/{link.load_run_file_id}/").content.decode()
    assert client.get(f"/lineage/files/{link.load_run_file_id}/records/1/").status_code == 403
    assert client.post("/lineage/?table=visits", {"visit_id": "1", "look-why": "x"}).status_code == 403


def test_what_is_not_there_or_cannot_be_meant_is_answered(console: House, as_):
    client = as_("operator")
    for url in ("runs/00000000-0000-0000-0000-000000000000", "files/7", f"files/{10**30}", "files/7/records/1"):
        assert client.get(f"/lineage/{url}/").status_code == 404, url
    assert client.post("/lineage/?table=visits", {"visit_id": "", "look-why": ""}).status_code == 422
    assert client.post("/lineage/?table=nothing", {"visit_id": "1"}).status_code == 422
    assert "ever named it" in client.post("/lineage/?table=visits", {"visit_id": "9", "look-why": "x"}).content.decode()
