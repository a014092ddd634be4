"""A file is quarantined by page, command and rule: planned, previewed, approved, done, and taken back."""

from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import call_command
from django.utils import timezone

from jobs.models import Job
from monitoring.verdicts import acting, answering
from monitoring.verdicts.models import QualityVerdict
from reprocessing import requests, rollback_requests, triggers
from reprocessing.asking_models import Sighting, Trigger
from reprocessing.planning import CannotPlanError, Options
from reprocessing.waves import Rules
from tests.house import House, row
from tests.workers import approved, finished, worked

pytestmark = pytest.mark.django_db(databases="__all__")
NOTHING = {"source": "nothing", "which": "all"}


@pytest.fixture
def wrong(console: House):
    """The run of a file that was loaded after a good one, and its file."""
    console.deliver("20260105", row("1", "10"))
    run = console.deliver("20260106", row("1", "99"), row("2", "99"))
    return run, 2


@pytest.fixture
def ask(people, settings):
    def asked(run, *, actor="operator", dry_run=False, waves=None, **options):
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL,
            [run],
            Options(**{"source": "nothing", **options}),
            reason="the fees are those of another practice",
            actor=people[actor],
            dry_run=dry_run,
            waves=waves,
        )

    return asked


def doubted(run, file, **more):
    """The verdict that the file is wrong."""
    return QualityVerdict.objects.create(
        load_run_file_id=file,
        load_run_id=run,
        extract="Visits",
        feed="a",
        judged_at=timezone.now(),
        level="block",
        score=12.0,
        limit=6.0,
        rows=2,
        compared_with=12,
        **more,
    )


def test_the_whole_story_by_page(console: House, wrong, as_, people, settings):
    run, file = wrong
    doubted(run, file)
    client = as_("operator")
    page = client.get(f"/quality/files/{file}/").content.decode()
    address = f"/runs/{run}/reprocess/?source=nothing&amp;which=all&amp;only_files={file}"
    assert address in page
    assert address not in as_("viewer").get(f"/quality/files/{file}/").content.decode()
    form = client.get(address.replace("&amp;", "&"))
    assert [item["file"] for item in form.context["selection"].included] == [file]
    assert "What would be quarantined" in form.content.decode() and "Say why" not in form.content.decode()

    client.post(f"/runs/{run}/reprocess/", {**NOTHING, "only_files": file, "reason": "fees of another practice"})
    job = worked(Job.objects.get())
    before = client.get(job.get_absolute_url()).content.decode()
    assert "Quarantine 1 file: nothing of it counts any more" in before and "Can be taken back exactly" in before
    assert job.plan.tables["visits"]["deleted"] == job.plan.tables["visits"]["updated"] == 1

    job = approved(job, people)
    assert (job.state, job.tables) == ("succeeded", job.plan.tables)
    assert console.staged() == {"1": ("10.00", None)}
    after = client.get(job.get_absolute_url()).content.decode()
    assert "nothing of 1 file counts, until this job is rolled back" in after
    assert "Quarantined: nothing of it counts" in client.get(f"/quality/files/{file}/").content.decode()
    made = job.outcome["load_runs"][str(run)]
    assert "Quarantined" in client.get(f"/runs/{made}/").content.decode()

    way_back = rollback_requests.ask(settings.WAREHOUSE_URL, job, reason="it was right", actor=people["operator"])
    assert approved(way_back, people).state == "succeeded"
    assert console.staged() == {"1": ("99.00", None), "2": ("99.00", None)}
    job.refresh_from_db()
    assert (job.state, console.violations()) == ("rolled back", 0)


def test_by_command(console: House, wrong, people):
    run, _file = wrong
    call_command(
        *("reprocess", str(run), "--source", "nothing", "--reason", "wrong", "--as", "operator"),
        stdout=StringIO(),
        stderr=StringIO(),
    )
    job = approved(Job.objects.get(), people)
    assert (job.kind, job.state, console.staged()) == ("quarantine", "succeeded", {"1": ("10.00", None)})


def test_a_dry_run_changes_nothing(console: House, wrong, ask):
    before = console.state()
    job = worked(ask(wrong[0], dry_run=True))
    assert (job.state, job.plan.tables["visits"]["deleted"], console.state()) == ("previewed", 1, before)


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ({"raw_history": "delete"}, "keeps the raw records"),
        ({"mode": "replace"}, "no way of writing"),
        ({"waves": Rules((50.0, 100.0), "file", 0, 0)}, "without waves"),
    ],
)
def test_what_does_not_go_with_it_is_refused(wrong, ask, odd, told):
    with pytest.raises(CannotPlanError, match=told):
        ask(wrong[0], **odd)
    assert not Job.objects.exists()


def test_who_may_not_ask_is_refused(wrong, as_):
    answer = as_("viewer").post(f"/runs/{wrong[0]}/reprocess/", {**NOTHING, "reason": "r"})
    assert (answer.status_code, Job.objects.exists()) == (403, False)


def test_a_quarantined_file_is_read_again_only_by_name_or_when_it_is_delivered_anew(console: House, wrong, ask, people):
    job = approved(ask(wrong[0]), people)
    made = UUID(job.outcome["load_runs"][str(wrong[0])])
    with pytest.raises(CannotPlanError, match="quarantine back"):
        ask(made, source="files")
    with pytest.raises(CannotPlanError, match="nothing of it counts"):
        ask(made, source="raw")
    with pytest.raises(CannotPlanError, match="nothing of it counts"):
        ask(made)
    named = ask(made, source="files", keys=("a_visits_20260106.csv",), dry_run=True)
    assert worked(named).plan.tables["visits"]["inserted"] == 1
    console.write("20260106", row("1", "11"))
    anew = finished(ask(made, source="files"))
    assert (anew.state, console.staged()) == ("succeeded", {"1": ("11.00", None)})
    assert console.violations() == 0


def test_reading_it_again_as_it_was_waits_for_somebody_else_too(console: House, wrong, ask, people, as_):
    job = approved(ask(wrong[0]), people)
    made = UUID(job.outcome["load_runs"][str(wrong[0])])
    before = console.state()
    again = finished(ask(made, source="files", keys=("a_visits_20260106.csv",)))
    assert (again.kind, again.state, console.state()) == ("reprocess", "awaiting approval", before)
    told = "It lets 1 quarantined file count again, with the content that was quarantined."
    assert told in again.approval.why and told in as_("reviewer").get(again.get_absolute_url()).content.decode()
    assert approved(again, people).state == "succeeded"
    assert (console.staged()["2"], console.violations()) == (("99.00", None), 0)


def test_so_do_its_waves(console: House, wrong, ask, people):
    job = approved(ask(wrong[0]), people)
    made = UUID(job.outcome["load_runs"][str(wrong[0])])
    waves = Rules((50.0, 100.0), "file", 0, 0)
    again = worked(ask(made, source="files", keys=("a_visits_20260106.csv",), waves=waves))
    assert (again.kind, again.state) == ("rollout", "awaiting approval")


def test_pages_tell_of_a_run_that_is_quarantined_until_it_is_read_again(console: House, wrong, ask, people, as_):
    run, file = wrong
    doubted(run, file)
    client, job = as_("viewer"), approved(ask(run), people)
    made = UUID(job.outcome["load_runs"][str(run)])
    for each in (run, made):
        page = client.get(f"/runs/{each}/").content.decode()
        assert "Its only file is quarantined: nothing of it counts" in page and "what counts now" not in page
    console.write("20260106", row("1", "11"))
    assert finished(ask(made, source="files")).state == "succeeded"
    assert "what counts now is" in client.get(f"/runs/{run}/").content.decode()
    for path in (f"/runs/{run}/", f"/runs/{made}/", f"/quality/files/{file}/"):
        assert "nothing of it counts" not in client.get(path).content.decode(), path


def test_a_file_that_was_never_loaded_cannot_be_quarantined(console: House, ask):
    console.write("20260105", row("1"))
    (console.folder / "b_visits_20260105.csv").write_text("not,this,header\n")
    (loaded,) = console.load().runs
    job = ask(loaded.load_run_id)
    assert [(item["key"], item["code"]) for item in job.plan.excluded] == [("b_visits_20260105.csv", "nothing counts")]


@pytest.fixture
def told(wrong, people):
    """A rule has heard that the file is proven wrong."""
    run, file = wrong
    Trigger.objects.create(name="wrong files", kind=acting.QUARANTINE, owner=people["operator"], extract="Visits")
    verdict = doubted(
        run,
        file,
        findings=[{"channel": "proof", "column": "fee", "measure": "not_number", "told": "fee is no number."}],
    )
    assert acting.tell(verdict, None, timezone.now()) == 1
    return verdict


def test_a_rule_asks_for_it_and_somebody_decides(console: House, told, settings):
    triggers.judge(settings.WAREHOUSE_URL, timezone.now() + timedelta(minutes=30))
    job = Job.objects.get()
    assert (Sighting.objects.get().came, job.kind) == ("fired", "quarantine")
    assert [item["file"] for item in job.plan.included] == [told.load_run_file_id]
    assert worked(job).state == "awaiting approval"
    assert console.staged()["2"] == ("99.00", None)


def test_a_rule_asks_for_nothing_where_the_file_was_answered_to_be_right(told, people, settings):
    answering.answer(told, "false alarm", people["operator"], reason="so it is", now=timezone.now())
    triggers.judge(settings.WAREHOUSE_URL, timezone.now() + timedelta(minutes=30))
    assert not Job.objects.exists()
    assert "answered meanwhile that the file is right" in Sighting.objects.get().why
