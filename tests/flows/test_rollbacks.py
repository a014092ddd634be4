"""Rollbacks as people ask for them: of the head, of a chain, of some tables; what the trail and the pages then say."""

import json
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from approvals import gate
from approvals.models import Request
from audit.models import Event
from jobs.models import Job, JobRun
from jobs.upkeep import Regular
from reprocessing import image_retention, requests, rollback_requests
from reprocessing.planning import CannotPlanError, Options
from tests.house import House, row
from tests.workers import approved, worked
from warehouse import before_images, discovery

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def reprocess(console: House, people, settings):
    def done(*runs):
        job = requests.ask_reprocess(settings.WAREHOUSE_URL, runs, Options(), reason="rule", actor=people["operator"])
        return worked(worked(job))

    return done


@pytest.fixture
def approve(people):
    return lambda job: approved(job, people)


@pytest.fixture
def chain(console: House, reprocess):
    run = console.deliver("20260105", row("1", fee="1"))
    console.write("20260105", row("1", fee="2"))
    first = reprocess(run)
    console.write("20260105", row("1", fee="3"))
    second = reprocess(UUID(first.outcome["load_runs"][str(run)]))
    assert (first.state, second.state) == ("succeeded", "succeeded")
    return first, second


@pytest.fixture
def ask(console, people, settings):
    def asked(job: Job, actor="operator", **more):
        return rollback_requests.ask(settings.WAREHOUSE_URL, job, reason="wrong file", actor=people[actor], **more)

    return asked


def actions(job: Job) -> list[str]:
    return list(Event.objects.filter(subject=f"job:{job.pk}").order_by("id").values_list("action", flat=True))


def test_trap_6_a_chain_is_refused_or_taken_back_in_one_plan(console, chain, ask, approve):
    first, second = chain
    with pytest.raises(CannotPlanError, match=f"Job {second.pk} has replaced"):
        ask(first)
    assert not JobRun.objects.filter(held=True).exists()
    asked = worked(ask(first, with_later=True))
    assert asked.plan.options["jobs"] == [str(second.pk), str(first.pk)]
    assert asked.plan.preview["exact"] == {"visits": True}
    assert approve(asked).state == "succeeded"
    assert [job.state for job in Job.objects.filter(pk__in=[first.pk, second.pk])] == ["rolled back"] * 2
    assert console.staged() == {"1": ("1.00", None)}
    assert console.violations() == 0
    for job in chain:
        assert actions(job)[-2:] == ["rollback requested", "job rolled back"]
    assert not JobRun.objects.filter(held=True).exists()


def test_the_runs_that_a_rollback_takes_away_are_held_too(console, chain, ask, reprocess, people, settings):
    _first, second = chain
    asked = ask(second)
    (newest,) = second.outcome["load_runs"].values()
    assert {str(found.load_run_id) for found in JobRun.objects.filter(job=asked, held=True)} == {
        *second.outcome["load_runs"],
        newest,
    }


def test_a_rollback_needs_its_right_and_leaves_a_trail_when_it_comes_to_nothing(chain, ask, people):
    _first, second = chain
    with pytest.raises(PermissionDenied):
        ask(second, actor="reviewer")
    asked = worked(ask(second))
    gate.decide(
        Request.objects.get(job=asked), people["reviewer"], approve=False, digest=asked.plan.digest, reason="not now"
    )
    assert actions(second)[-2:] == ["rollback requested", "rollback rejected"]
    second.refresh_from_db()
    assert second.state == "succeeded"


def test_a_rollback_of_a_rollback_is_a_new_reprocessing(console, chain, ask, approve, reprocess):
    _first, second = chain
    back = approve(worked(ask(second)))
    with pytest.raises(CannotPlanError, match="reprocessing of its load runs again"):
        ask(back)
    with pytest.raises(CannotPlanError, match="rolled back"):
        ask(Job.objects.get(pk=second.pk))
    again = reprocess(*second.plan.load_runs)
    assert again.state == "succeeded", again.error
    assert console.staged() == {"1": ("3.00", None)}
    assert approve(worked(ask(again))).state == "succeeded"
    assert console.staged() == {"1": ("2.00", None)}
    assert console.violations() == 0


def test_trap_33_nobody_finds_a_rolled_back_run_by_discovery(console, chain, ask, approve):
    first, _second = chain
    approve(worked(ask(first, with_later=True)))
    found = discovery.find(console.connection, console.registry, discovery.Filter())
    assert (found.files, found.taken) == (0, 0)


@pytest.fixture
def two_tables(console: House, reprocess):
    console.write("20260105", row("1"))
    calls = console.folder / "a_calls_20260105.csv"
    calls.write_text("call_id,seen_on,fee,note,updated_at\n7,,1,,\n")
    (loaded,) = console.load().runs
    console.write("20260105", row("1", fee="11"))
    calls.write_text("call_id,seen_on,fee,note,updated_at\n7,,2,,\n")
    return reprocess(loaded.load_run_id)


def test_some_tables_of_a_job_are_taken_back_and_then_the_rest(console, two_tables, ask, approve):
    job = two_tables
    with pytest.raises(CannotPlanError, match="There is no table nonsense"):
        ask(job, tables=["nonsense"])
    approve(worked(ask(job, tables=["visits"])))
    job.refresh_from_db()
    assert (job.state, actions(job)[-1]) == ("succeeded", "job partly rolled back")
    assert console.staged()["1"][0] == "10.00"
    approve(worked(ask(job)))
    job.refresh_from_db()
    assert (job.state, actions(job)[-1]) == ("rolled back", "job rolled back")


def test_the_page_tells_the_way_back_before_anybody_asks(chain, people, ask, approve):
    first, second = chain
    client = Client()
    client.force_login(people["operator"])
    page = client.get(second.get_absolute_url()).content.decode()
    assert "Can be taken back exactly until" in page and "No archive set of the replaced load runs exists." in page
    page = client.get(first.get_absolute_url()).content.decode()
    assert "1 later job builds on what this one made" in page
    form = client.get(f"/jobs/{first.pk}/rollback/").content.decode()
    assert "Take the later jobs back too" in form
    refused = client.post(f"/jobs/{first.pk}/rollback/", {"reason": "wrong"})
    assert refused.status_code == 422 and "Without them" in refused.content.decode()
    asked = client.post(f"/jobs/{first.pk}/rollback/", {"reason": "wrong", "with_later": "on"})
    assert asked.status_code == 302
    back = approve(worked(Job.objects.get(kind="rollback")))
    page = client.get(back.get_absolute_url()).content.decode()
    assert (
        "Keys changed since" in page
        and "Rows that nothing has touched since" in page
        and "A rollback is not rolled back." in page
    )
    assert "To do it once more, reprocess" in client.get(first.get_absolute_url()).content.decode()
    assert "not rolled back" in client.get(f"/jobs/{back.pk}/rollback/").content.decode()


def test_an_expired_before_image_stays_while_a_rollback_needs_it(console, chain, ask, settings, people):
    first, second = chain
    late = timezone.now() + before_images.KEPT_FOR + timedelta(days=1)
    asked = ask(second)
    purged = image_retention.purge(settings.WAREHOUSE_URL, now=late)
    assert [found.image.job_id for found in purged] == [first.pk]
    assert actions(first)[-1] == "before-image purged"
    asked = worked(asked)
    assert asked.plan.preview["exact"] == {"visits": True}
    with pytest.raises(PermissionDenied):
        image_retention.purge(settings.WAREHOUSE_URL, now=late, actor=people["viewer"])


def test_the_upkeep_purges_once_an_hour_and_survives_a_warehouse_that_is_away(console, chain, settings):
    late = timezone.now() + before_images.KEPT_FOR + timedelta(days=1)
    upkeep = Regular(image_retention.by_the_clock, every=image_retention.EVERY, failing="not purged")
    good, settings.WAREHOUSE_URL = settings.WAREHOUSE_URL, "postgresql://nobody@127.0.0.1:1/none"
    upkeep(late)
    settings.WAREHOUSE_URL = good
    upkeep(late + timedelta(minutes=59))
    assert len(before_images.everything(console.connection)) == 2
    upkeep(late + timedelta(minutes=60))
    assert before_images.everything(console.connection) == []


def test_the_commands_say_the_same(console, chain, people):
    first, _second = chain
    out = StringIO()
    call_command("before_images", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert [(found["rows"], found["known"]) for found in told["sets"]] == [(1, True), (1, True)] and told["bytes"] > 0
    with pytest.raises(SystemExit) as refused:
        call_command("rollback", str(first.pk), "--reason", "wrong", "--as", "operator", "--json", stdout=StringIO())
    assert refused.value.code == 1
    out = StringIO()
    call_command(
        "rollback",
        str(first.pk),
        "--reason",
        "wrong",
        "--with-later",
        "--wait",
        "--as",
        "operator",
        "--json",
        stdout=out,
    )
    assert json.loads(out.getvalue())["state"] == "awaiting approval"


def test_before_images_of_no_job_of_this_console_are_told_as_such(console: House, people):
    """Of the sample, whose loading reprocesses too."""
    run = console.deliver("20260105", row("1"))
    console.write("20260105", row("1", fee="11"))
    console.reprocess(run)
    out = StringIO()
    call_command("before_images", "--json", stdout=out)
    assert [found["known"] for found in json.loads(out.getvalue())["sets"]] == [False]
    out = StringIO()
    call_command("before_images", stdout=out)
    assert "stg.visits: 1 rows (no job of this console" in out.getvalue()


@pytest.mark.parametrize("name", ["visits", "stg.visits"])
def test_the_command_takes_tables_by_either_name(console, chain, people, name):
    _first, second = chain
    out = StringIO()
    call_command(
        "rollback", str(second.pk), "--reason", "r", "--tables", name, "--as", "operator", "--json", stdout=out
    )
    job = Job.objects.get(pk=json.loads(out.getvalue())["job"])
    assert job.plan.options["tables"] == ["visits"]


def test_a_table_that_is_not_there_is_wrong_usage(console, chain, people):
    out = StringIO()
    with pytest.raises(SystemExit) as refused:
        call_command("rollback", str(chain[0].pk), "--reason", "r", "--tables", "stg.nothing", "--json", stdout=out)
    assert refused.value.code == 2 and "There is no table nothing in staging" in json.loads(out.getvalue())["error"]
