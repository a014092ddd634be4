"""Restores as people ask for them: shown, confirmed, approved where they overwrite, taken back."""

import json
from io import StringIO
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.utils import timezone

from approvals import gate
from approvals.models import Request
from archives import restore_requests, restore_upkeep
from archives.restore_requests import Wanted
from audit.models import Event
from jobs.models import Job
from jobs.submission import CannotAskError
from reprocessing import requests
from reprocessing.planning import Options
from tests.archived import archive
from tests.house import House, row
from tests.workers import approved, finished, worked
from warehouse import side_tables

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def kept(console: House) -> UUID:
    """A set of visits 1 and 2; staging has lost 1 and holds a newer 2."""
    run = console.deliver("20260105", row("1"), row("2", fee="20"))
    made = archive(console, run)
    console.deliver("20260106", row("2", fee="21"), org="b")
    console.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    return made


@pytest.fixture
def ask(console, people, settings):
    def asked(kept, actor="archive admin", dry_run=False, **wanted):
        return restore_requests.ask(
            settings.WAREHOUSE_URL, Wanted(kept, **wanted), reason="lost", actor=people[actor], dry_run=dry_run
        )

    return asked


def uses(console):
    (found,) = console.connection.execute("SELECT count(*) FROM restage.archive_uses").fetchone()
    return found


def test_what_touches_no_newer_row_goes_ahead(console, kept, ask):
    job = finished(ask(kept))
    assert job.state == "succeeded"
    assert console.staged() == {"1": ("10.00", None), "2": ("21.00", None)}
    counts = job.outcome["tables"]["visits"]
    assert (counts["absent"], counts["newer"], counts["kept_newer"]) == (1, 1, 1)
    assert (console.violations(), uses(console)) == (0, 0)
    actions = list(Event.objects.filter(subject=f"job:{job.pk}").order_by("id").values_list("action", flat=True))
    assert actions == ["job requested", "job queued", "job running", "job succeeded"]


def test_overwriting_newer_rows_is_for_a_second_person(console, kept, ask, people):
    job = worked(ask(kept, on_newer="overwrite"))
    assert job.state == "awaiting approval"
    assert Request.objects.get(job=job).why == ["It overwrites 1 row of newer owners."]
    assert uses(console) == 1, "nothing removes the set while the decision is open"
    assert approved(job, people).state == "succeeded"
    assert console.staged()["2"] == ("20.00", None)
    assert (console.violations(), uses(console)) == (0, 0)


def quarantined(console, people, settings, run):
    """Nothing counts any more of the files of the run."""
    options = Options(source="nothing", which="all")
    made = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], options, reason="wrong", actor=people["operator"])
    assert approved(worked(made), people).state == "succeeded"


def test_rows_of_a_quarantined_file_come_back_only_where_a_second_person_says_so(
    console: House, ask, people, settings, as_
):
    run = console.deliver("20260105", row("1"), row("2"))
    kept = archive(console, run)
    quarantined(console, people, settings, run)
    before = console.state()
    assert console.staged() == {}
    job = worked(ask(kept))
    assert (job.state, console.state()) == ("awaiting approval", before)
    told = "It writes 2 rows of quarantined files, of which nothing is to count."
    assert Request.objects.get(job=job).why == [told]
    assert told in as_("reviewer").get(job.get_absolute_url()).content.decode()
    assert approved(job, people).state == "succeeded"
    assert (sorted(console.staged()), console.violations()) == (["1", "2"], 0)
    assert finished(ask(kept)).state == "succeeded", "of the second time nothing is written"


def test_so_they_do_after_other_content_was_delivered_in_its_place(console: House, ask, people, settings):
    run = console.deliver("20260105", row("1"), row("2"))
    kept = archive(console, run)
    quarantined(console, people, settings, run)
    console.write("20260105", row("1"))
    made = console.connection.execute("SELECT load_run_id FROM etl.load_run_files WHERE status = 'quarantined'")
    (of_quarantine,) = made.fetchone() or (run,)
    again = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [of_quarantine], Options(which="all"), reason="right now", actor=people["operator"]
    )
    assert (finished(again).state, sorted(console.staged())) == ("succeeded", ["1"])
    job = worked(ask(kept))
    assert (job.state, sorted(console.staged())) == ("awaiting approval", ["1"])
    assert Request.objects.get(job=job).why == ["It writes 1 row of quarantined files, of which nothing is to count."]


def test_of_a_quarantine_it_is_told_which_rows_a_restore_has_pinned(console: House, ask, people, settings):
    run = console.deliver("20260105", row("1"), row("2"))
    kept = archive(console, run)
    console.write("20260105", row("1"))
    again = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [run], Options(which="all"), reason="right now", actor=people["operator"]
    )
    assert finished(again).state == "succeeded"
    restored = finished(ask(kept))
    assert sorted(console.staged()) == ["1", "2"]
    newest = console.connection.execute("SELECT load_run_id FROM etl.load_run_files ORDER BY load_run_file_id DESC")
    (of_reprocessing,) = newest.fetchone() or (run,)
    options = Options(source="nothing", which="all")
    wrong = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [of_reprocessing], options, reason="wrong", actor=people["operator"]
    )
    told = f"1 row of these files will stay in staging, because the restore {restored.pk} has pinned them"
    assert told in " ".join(Request.objects.get(job=worked(wrong)).why)


def test_a_restore_that_would_do_something_else_goes_back_to_approval(console, kept, ask, people):
    job = worked(ask(kept, on_newer="overwrite"))
    console.connection.execute("DELETE FROM stg.visits")
    before = console.state()
    job = approved(job, people)
    assert (job.state, "has changed since the preview" in job.error) == ("failed", True)
    assert console.state() == before
    again = worked(Job.objects.get(plan__options__again_of=str(job.pk)))
    assert again.state == "awaiting approval"
    assert again.plan.tables["visits"]["absent"] == 1
    assert approved(again, people).state == "succeeded"
    assert console.staged() == {"1": ("10.00", None), "2": ("20.00", None)}


def test_it_fails_where_it_was_asked_to(console, kept, ask):
    job = worked(ask(kept, on_newer="fail"))
    assert (job.state, "Staging is unchanged" in job.error, uses(console)) == ("failed", True, 0)


def test_a_dry_run_is_confirmed_as_it_was_shown(console, kept, ask, as_, people):
    before = console.state()
    shown = worked(ask(kept, dry_run=True))
    assert (shown.state, console.state() == before, uses(console)) == ("previewed", True, 0)
    page = as_("archive admin").get(shown.get_absolute_url()).content.decode()
    assert "Restore 1 row" in page
    assert "Restore 1 row" not in as_("viewer").get(shown.get_absolute_url()).content.decode()
    answer = as_("archive admin").post(f"/archives/restore/jobs/{shown.pk}/confirmation/")
    job = finished(Job.objects.get(pk=answer.headers["Location"].split("/")[2]))
    assert (job.state, job.plan.options["shown_by"]) == ("succeeded", str(shown.pk))
    page = as_("archive admin").get(job.get_absolute_url()).content.decode()
    assert "the checksum of the set" in page


def test_a_confirmed_restore_of_something_else_ends_before_it_begins(console, kept, ask, people, settings):
    shown = worked(ask(kept, dry_run=True))
    console.connection.execute("UPDATE stg.visits SET fee = 1")
    job = worked(restore_requests.confirm(settings.WAREHOUSE_URL, shown, actor=people["archive admin"]))
    assert (job.state, "since the dry run that was confirmed" in job.error) == ("failed", True)
    with pytest.raises(CannotAskError):
        restore_requests.confirm(settings.WAREHOUSE_URL, job, actor=people["archive admin"])


def test_raw_decides_again(console, kept, ask, people, as_):
    done = approved(worked(ask(kept, on_newer="overwrite")), people)
    client = as_("archive admin")
    assert "1 row is pinned" in client.get(done.get_absolute_url()).content.decode()
    path = f"/archives/restore/jobs/{done.pk}/unpinning/"
    assert "1 of" in client.get(path).content.decode()
    assert client.post(path, {"reason": " "}).status_code == 422
    answer = client.post(path, {"reason": "it was right before"})
    job = worked(Job.objects.get(pk=answer.headers["Location"].split("/")[2]))
    assert (job.state, job.plan.tables["visits"]["updated"]) == ("awaiting approval", 1)
    assert "Let raw decide again" in client.get(job.get_absolute_url()).content.decode()
    assert approved(job, people).state == "succeeded"
    assert console.staged()["2"] == ("21.00", None)
    assert (console.violations(), "nothing to let go" in client.get(path).content.decode()) == (0, True)
    assert Event.objects.filter(subject=f"job:{done.pk}", action="unpinning requested").count() == 1
    assert client.post(path, {"reason": "once more"}).status_code == 422


def test_a_side_table_is_named_shown_and_dropped(console, kept, ask, as_, settings):
    before = console.state()
    job = finished(ask(kept, into="side"))
    made = job.outcome["side"]["visits"]
    assert (made["rows"], console.state() == before) == (2, True)
    page = as_("viewer").get(job.get_absolute_url()).content.decode()
    assert made["name"] in page and "Staging is as it was" in page
    url, now = settings.WAREHOUSE_URL, timezone.now()
    assert restore_upkeep.tidy(url, now=now) == []
    assert restore_upkeep.tidy(url, now=now + side_tables.KEPT_FOR) == [made["name"].removeprefix("restage_side.")]
    assert restore_upkeep.tidy(url, now=now + side_tables.KEPT_FOR) == []


def test_the_set_of_a_job_that_is_over_is_free_again(console, kept, ask, people, settings):
    job = worked(ask(kept, on_newer="overwrite"))
    restore_upkeep.tidy(settings.WAREHOUSE_URL, now=timezone.now())
    assert uses(console) == 1
    gate.decide(Request.objects.get(job=job), people["reviewer"], approve=False, digest=job.plan.digest, reason="no")
    restore_upkeep.tidy(settings.WAREHOUSE_URL, now=timezone.now())
    assert uses(console) == 0


@pytest.mark.parametrize("role", ["viewer", "operator", "reviewer", "ops", "auditor"])
def test_it_needs_the_right(console, kept, ask, as_, role):
    with pytest.raises(PermissionDenied):
        ask(kept, actor=role)
    client = as_(role)
    for path in ("", f"{kept}/", f"jobs/{uuid4()}/unpinning/"):
        assert client.get(f"/archives/restore/{path}").status_code == 403
    assert client.post(f"/archives/restore/jobs/{uuid4()}/confirmation/").status_code == 403


def test_the_form_asks_for_a_dry_run_and_tells_what_is_wrong(console, kept, as_):
    client = as_("archive admin")
    path = f"/archives/restore/{kept}/"
    assert "2 rows" not in client.get(path).content.decode()
    given = {"into": "staging", "on_newer": "skip", "reason": "lost", "mapping": ""}
    for wrong, told in (
        ({"reason": " "}, "Say why"),
        ({"mapping": "note"}, "Entry 1 is not of the form"),
        ({"mapping": "note=a\nnote=b"}, "note stands there twice"),
        ({"into": "elsewhere"}, "Select a valid choice"),
    ):
        answer = client.post(path, {**given, **wrong})
        assert (answer.status_code, told in answer.content.decode()) == (422, True), wrong
    answer = client.post(path, given)
    job = Job.objects.get(pk=answer.headers["Location"].split("/")[2])
    assert (job.dry_run, worked(job).state) == (True, "previewed")
    page = client.get(job.get_absolute_url()).content.decode()
    assert "Newer owner" in page and "newer owner, stays" in page


def test_a_column_that_is_gone_is_told_on_the_job_and_can_be_left_out(console, kept, ask):
    console.connection.execute("ALTER TABLE stg.visits DROP COLUMN reviewed_by")
    job = worked(ask(kept, dry_run=True))
    assert (job.state, "reviewed_by (text) is not in the table any more" in job.error) == ("failed", True)
    job = worked(ask(kept, dry_run=True, renamed={"reviewed_by": ""}))
    assert (job.state, job.plan.preview["told"]["visits"]) == ("previewed", ["reviewed_by of the set is left out."])


def test_sets_are_found_by_run_and_table(console, kept, as_):
    client = as_("archive admin")
    run = console.connection.execute("SELECT load_run_id FROM restage.archive_sets").fetchone()[0]
    for query, sets in (("", 1), (f"run={run}", 1), ("table=stg.visits", 1), ("table=calls", 0), (f"run={uuid4()}", 0)):
        assert len(client.get(f"/archives/restore/?{query}").context["sets"]) == sets
    assert client.get("/archives/restore/?run=nonsense").status_code == 422
    assert client.get(f"/archives/restore/{uuid4()}/").headers["Location"] == "/archives/restore/"


def command(*words, code=0):
    out = StringIO()
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command(*words, "--json", stdout=out, stderr=StringIO())
        assert ended.value.code == code
    else:
        call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_command_tells_classes_and_outcome(console, kept, people):
    run = console.connection.execute("SELECT load_run_id FROM restage.archive_sets").fetchone()[0]
    asked = command("restore", str(kept), "--as", "archive admin")
    assert (asked["kind"], asked["set"], asked["state"]) == ("restore", str(kept), "previewing")
    finished(Job.objects.get(pk=asked["job"]))
    assert command("jobs", "show", asked["job"])["tables"]["visits"]["inserted"] == 1
    by_run = command("restore", "--run", str(run), "--table", "visits", "--dry-run", "--as", "archive admin")
    assert by_run["set"] == str(kept)
    shown = worked(Job.objects.get(pk=by_run["job"]))
    assert shown.plan.tables["visits"]["identical"] == 1
    for words, code in (
        (["restore"], 2),
        (["restore", str(kept), "--run", str(run)], 2),
        (["restore", str(kept), "--map", "note"], 2),
        (["restore", str(uuid4())], 1),
        (["restore", "--run", str(uuid4())], 1),
        (["restore", str(kept), "--table", "calls"], 1),
        (["restore", str(kept), "--as", "viewer"], 1),
        (["unpin", str(uuid4()), "--reason", "r"], 1),
        (["unpin", asked["job"], "--reason", "r"], 1),
        (["unpin", asked["job"], "--reason", " "], 2),
    ):
        words = words if "--as" in words else [*words, "--as", "archive admin"]
        assert "error" in command(*words, code=code), words


def test_one_job_at_a_time_is_about_a_load_run(console, kept, ask, as_):
    job = ask(kept, dry_run=True)
    answer = as_("archive admin").post(
        f"/archives/restore/{kept}/", {"into": "staging", "on_newer": "skip", "reason": "lost", "mapping": ""}
    )
    assert answer.headers["Location"] == job.get_absolute_url()
