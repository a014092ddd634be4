"""What the trail says: circumstances, refusals, logins, what the warehouse tells of itself; its page and its export."""

import csv
import io
import json
from urllib.parse import urlencode
from uuid import uuid4

import psycopg
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from access import rights
from approvals import gate
from approvals.gate import RefusedError
from approvals.models import Request
from audit import circumstances, export, spreadsheet, telling, trail
from audit.models import Event, View
from audit.trail import Filter
from audit.transitions import record, write
from jobs import relay, work
from jobs.models import Job, Plan
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row
from tests.stack import Stack, eventually
from tests.tampering import unguarded

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def job(console: House, people, settings) -> Job:
    run = console.deliver("20260105", row("1"), row("2"))
    console.write("20260105", row("1", fee="11"), row("2"))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="a rule", actor=people["operator"])
    return Job.objects.get(pk=asked.pk)


def test_what_a_worker_does_is_done_on_behalf_of_who_asked(job, console):
    work.run(job.pk)
    work.run(job.pk)
    done = Event.objects.get(action="job succeeded")
    assert (done.actor_name, done.on_behalf_of, done.how) == ("Restage", "operator", "worker")
    begun = Event.objects.get(action="job running")
    assert done.request_id == begun.request_id != ""


def test_the_trail_knows_which_plan_was_carried_out_and_how_long_it_took(as_, job):
    work.run(job.pk)
    work.run(job.pk)
    digest = Job.objects.select_related("plan").get(pk=job.pk).plan.digest
    queued, done = (Event.objects.get(action=f"job {state}").detail for state in ("queued", "succeeded"))
    assert digest and digest == queued["plan digest"] == done["plan digest"]
    assert 0 <= done["seconds"] < 60
    story = as_("viewer").get(f"/jobs/{job.pk}/story/").content.decode()
    assert story.count(digest) == 2 and "Seconds" in story


def test_the_trail_knows_why_a_job_ended(job):
    work.run(job.pk)
    with unguarded("jobs_plan"):
        Plan.objects.filter(pk=job.plan_id).update(reason="another one")
    work.run(job.pk)
    failed = Event.objects.get(action="job failed")
    assert failed.detail["why"] == Job.objects.get(pk=job.pk).error != ""


def test_what_is_asked_in_the_browser_has_address_and_request(as_, job):
    answer = as_("operator").post(f"/jobs/{job.pk}/cancel/")
    event = Event.objects.get(action="job cancelled")
    assert (event.how, event.address, event.request_id) == ("page", "127.0.0.1", answer.headers["X-Request-ID"])


def test_a_refused_page_is_written_down_with_who_asked_for_what(as_, job):
    assert as_("viewer").post(f"/jobs/{job.pk}/cancel/").status_code == 403
    event = Event.objects.get(action="attempt refused")
    assert (event.actor_name, event.result) == ("viewer", "refused")
    assert event.detail["page"] == "cancel" and event.detail["about"] == {"job_id": str(job.pk)}
    assert "cancel a job" in event.detail["why"]


def test_a_refused_decision_is_written_down(job, people, console):
    work.run(job.pk)
    Job.objects.filter(pk=job.pk).update(state=Job.State.AWAITING)
    request = Request.objects.create(job=job, digest="x", why=["a test"], expires_at=timezone.now())
    rights.give(people["operator"], ["operator", "reviewer"])
    with pytest.raises(RefusedError):
        gate.decide(request, people["operator"], approve=True, digest="x", reason="")
    event = Event.objects.get(action="decision refused")
    assert (event.actor_name, event.subject, event.result) == ("operator", f"job:{job.pk}", "refused")


def test_logins_are_written_down_and_a_wrong_name_is_not_kept(console, people):
    client = Client()
    client.post("/login/", {"username": "viewer", "password": "wrong"})
    client.post("/login/", {"username": "hunter2-typed-here", "password": "wrong"})
    assert client.post("/login/", {"username": "view\x00er", "password": "wrong"}).status_code == 200
    client.post("/login/", {"username": "viewer", "password": "pass-word-1"})
    client.post("/logout/")
    said = [(one.action, one.result, one.detail.get("name")) for one in Event.objects.order_by("id")]
    assert said == [
        ("login refused", "refused", "viewer"),
        ("login refused", "refused", None),
        ("login refused", "refused", None),
        ("logged in", "done", None),
        ("logged out", "done", None),
    ]
    assert not Event.objects.filter(detail__icontains="hunter2").exists()


def test_the_warehouse_own_record_comes_into_the_trail_once_and_in_order(job, console):
    work.run(job.pk)
    work.run(job.pk)
    assert relay.relay(console.connection) == 1
    assert relay.relay(console.connection) == 0
    event = Event.objects.get(how="warehouse")
    assert (event.actor_name, event.action, event.subject) == ("operator", "reprocess", f"job:{job.pk}")
    assert event.detail["tables"] == {"visits": {"updated": 1}} and event.detail["rows changed"] == 1


def test_an_effect_that_is_committed_late_is_not_missed(console, people):
    for number in (5, 3, 4):
        console.connection.execute(
            "INSERT INTO restage.effects (effect_id, action, actor, detail) OVERRIDING SYSTEM VALUE"
            " VALUES (%s, 'an act', 'operator', '{}')",
            [number],
        )
        assert relay.relay(console.connection) == 1
    assert list(Event.objects.order_by("id").values_list("effect", flat=True)) == [5, 3, 4]


def test_the_story_of_a_job_and_of_its_run_reads_from_the_beginning(as_, job, console):
    work.run(job.pk)
    work.run(job.pk)
    relay.relay(console.connection)
    for path in (f"/jobs/{job.pk}/story/", f"/runs/{job.plan.load_runs[0]}/story/"):
        text = as_("viewer").get(path).content.decode()
        places = [
            text.index(said) for said in ("asked for it", "put it in the queue", "published", "carried it out whole")
        ]
        assert places[:2] == sorted(places[:2]) and "a rule" in text
    assert as_("viewer").get("/runs/00000000-0000-0000-0000-000000000000/story/").status_code == 404


@pytest.fixture
def events(people) -> list[Event]:
    """Three acts of two people on two days."""
    with circumstances.of(circumstances.PAGE, address="10.1.1.1", request_id="together"):
        first = record(people["operator"], "job requested", people["viewer"], {"reason": "=cmd|' /C calc'!A0", "n": 1})
        second = write(None, "job failed", "job:abc")
    with circumstances.of(circumstances.WORKER, on_behalf_of="operator"):
        third = write(None, "job succeeded", "job:abc", {"rows": 12_000})
    return [first, second, third]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"person": "operator"}, {0, 2}),
        ({"person": "OPERATOR", "how": "worker"}, {2}),
        ({"action": "job"}, {0, 1, 2}),
        ({"about": "abc"}, {1, 2}),
        ({"about": "job:abc"}, {1, 2}),
        ({"request": "together"}, {0, 1}),
        ({"result": "refused"}, set()),
        ({"since": "2000-01-01", "until": "2000-01-02"}, set()),
        ({"since": "2000-01-01"}, {0, 1, 2}),
    ],
)
def test_every_filter_finds_what_it_says(events, asked, numbers):
    assert {event.pk for event in Filter(**asked).events()} == {events[number].pk for number in numbers}


def test_an_action_that_is_chosen_is_meant_alone_and_a_short_id_finds_its_object(people):
    ids = ["950691da-6dc6-4b65-9f19-bccd3a1d4afe", "950691db-6dc6-4b65-9f19-bccd3a1d4afe"]
    for action in ("rollback", "rollback requested"):
        for each in ids:
            write(None, action, f"job:{each}")
    assert Filter(action="rollback").events().count() == 2
    assert Filter(action="rollb").events().count() == 4
    assert {event.subject for event in Filter(about="950691DA").events()} == {f"job:{ids[0]}"}
    assert Filter(about=ids[1]).events().count() == 2 and not Filter(about="950691d").events().exists()


@pytest.mark.parametrize("name", [*trail.FILTERS])
def test_a_filter_that_no_event_can_fit_is_answered(as_, events, name):
    client = as_("auditor")
    for odd in ("\x00", "a\x00b", "9999-12-31", "0001-01-01"):
        assert client.get("/audit/", {name: odd}).status_code == 200
        kept = client.post("/audit/views/", {"name": odd, "query": urlencode({name: odd})}, follow=True)
        taken = client.post("/audit/export/", {"format": "csv", "query": urlencode({name: odd})}, follow=True)
        assert kept.status_code == taken.status_code == 200
    assert "has a letter that no event has" in client.get("/audit/", {name: "\x00"}).content.decode()


def test_a_view_has_a_name_that_can_be_seen(as_, events):
    told = as_("auditor").post("/audit/views/", {"name": "\u200b", "query": "how=page"}, follow=True).content.decode()
    assert "The view has no name: nothing was saved." in told


def test_the_page_shows_the_number_that_it_exports(as_, events):
    client = as_("auditor")
    page = client.get("/audit/", {"about": "job:abc"}).content.decode()
    assert "2 events that fit the filter" in page and "Export 2 as CSV" in page
    answer = client.post("/audit/export/", {"query": "about=job%3Aabc", "format": "jsonl"})
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).decode().splitlines()]
    assert [line["action"] for line in lines] == ["job failed", "job succeeded"]
    told = Event.objects.get(action="trail exported")
    assert told.detail["filter"] == {"about": "job:abc"} and told.actor_name == "auditor"


def test_a_job_of_another_console_is_no_link(as_, console: House, people, settings):
    run = console.deliver("20260105", row("1"))
    job = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    other = uuid4()
    write(None, "job succeeded", f"job:{other}")
    page = as_("auditor").get("/audit/").content.decode()
    assert f'href="/jobs/{job.pk}/"' in page and str(other)[:8] in page and f"/jobs/{other}/" not in page


def test_a_moment_is_told_by_the_clock_of_the_console(people):
    event = write(None, "expiry extended", "job:abc", {"to": "2027-02-24T13:23:14.935306+00:00", "day": "2027-02-24"})
    with timezone.override("Pacific/Auckland"):
        assert telling.pairs(event) == [("to", "2027-02-25 02:23"), ("day", "2027-02-24")]


def test_a_spreadsheet_does_not_run_what_is_exported(as_, events):
    answer = as_("auditor").post("/audit/export/", {"query": "", "format": "csv"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert rows[0]["reason"] == "'=cmd|' /C calc'!A0"
    assert not any(cell.startswith(spreadsheet.FORMULA) for one in rows for cell in one.values())


def test_only_those_who_may_read_or_take_it(as_, events, people):
    assert as_("viewer").get("/audit/").status_code == 403
    assert as_("operator").post("/audit/export/", {"format": "csv"}).status_code == 403
    with pytest.raises(PermissionDenied):
        export.begin(Filter(), actor=people["ops"], form="csv")


def test_a_wrong_day_is_told_and_shows_nothing(as_, events):
    page = as_("auditor").get("/audit/", {"since": "yesterday"}).content.decode()
    assert "a day is needed" in page and "No event fits" in page


def test_a_filter_is_kept_as_a_view_of_its_owner(as_, events, people):
    client = as_("auditor")
    client.post("/audit/views/", {"name": "failures", "query": "result=failed&how=worker&page=3"})
    view = View.objects.get()
    assert (view.owner, view.query) == (people["auditor"], "result=failed&how=worker")
    assert "failures" in client.get("/audit/").content.decode()
    client.post("/audit/views/", {"name": "failures", "query": ""})
    client.post("/audit/views/", {"name": " ", "query": ""})
    assert View.objects.count() == 1
    assert as_("administrator").post(f"/audit/views/{view.pk}/remove/").status_code == 404
    client.post(f"/audit/views/{view.pk}/remove/")
    assert not View.objects.exists()


def test_verifying_in_the_browser_leaves_a_trace(as_, events):
    page = as_("auditor").post("/audit/verify/").content.decode()
    assert "Whole" in page
    assert Event.objects.get(action="trail verified").detail["whole"] is True


def test_the_filters_of_page_command_and_export_are_the_same():
    assert set(trail.FILTERS) == set(Filter.__dataclass_fields__)


def test_the_command_verifies_and_names_the_first_bad_event(stack: Stack):
    stack.house.deliver("20260105", row("1"))
    run = str(stack.house.deliver("20260106", row("2")))
    stack.command("reprocess", run, "--reason", "to have events", "--dry-run")
    eventually(lambda: stack.command("audit", "seal")["events"])  # an open transaction anywhere makes it wait
    verdict = stack.command("audit", "verify")
    assert verdict["whole"] and verdict["events"] >= 1
    with psycopg.connect(stack.env["RESTAGE_DATABASE_URL"], autocommit=True) as owner:
        owner.execute("ALTER TABLE audit_event DISABLE TRIGGER audit_rows")
    first = stack.console("UPDATE audit_event SET actor_name = 'rewi' RETURNING id")
    verdict = stack.command("audit", "verify", code=1)
    assert not verdict["whole"] and verdict["findings"][0]["event"] == first[0][0]


def test_the_command_exports_for_who_may_and_refuses_a_wrong_day(events, told, capsys):
    call_command("audit", "export", "--about", "abc", "--as", "auditor")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["action"] for line in lines] == ["job failed", "job succeeded"]
    assert "export the audit trail" in told("audit", "export", "--as", "operator", code=1)["error"]
    assert "a day is needed" in told("audit", "export", "--since", "1.1.", code=2)["error"]
