"""What a job is about and how it writes: by file, by day, replace, original declaration; what is refused."""

from dataclasses import replace
from io import StringIO
from uuid import UUID

import pytest
from django.core.management import call_command
from django.test import Client

from approvals import breaking_glass, gate
from approvals.gate import RefusedError
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import CannotPlanError, Options
from tests.archived import archive
from tests.house import House, row
from tests.workers import finished, worked
from warehouse import archive_holds
from warehouse.registry import Column, Rule

pytestmark = pytest.mark.django_db(databases="__all__")
DEAR = Rule("fee", "range", "", (0, 100), "reject", "dear")


@pytest.fixture
def ask(console: House, people, settings):
    def asked(run, *, dry_run=False, **options):
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL, [run], Options(**options), reason="r", actor=people["operator"], dry_run=dry_run
        )

    return asked


@pytest.fixture
def run(console: House) -> UUID:
    """A run of two files, both since delivered anew."""
    console.write("20260105", row("1"), row("2", fee="500"), org="a")
    console.write("20260105", row("3"), org="b")
    (loaded,) = console.load().runs
    console.write("20260105", row("1", fee="11"), row("2", fee="500"), org="a")
    console.write("20260105", row("3", fee="33"), org="b")
    return loaded.load_run_id


@pytest.fixture
def operator(people) -> Client:
    made = Client()
    made.force_login(people["operator"])
    return made


def command(*words: str) -> None:
    call_command("reprocess", *words, "--as", "operator", stdout=StringIO(), stderr=StringIO())


def test_a_file_is_chosen_by_its_name(console: House, run, people):
    command(str(run), "--reason", "r", "--only-file", "b_visits_20260105.csv")
    job = finished(Job.objects.get())
    assert [item["key"] for item in job.plan.included] == ["b_visits_20260105.csv"]
    assert [(item["key"], item["code"]) for item in job.plan.excluded] == [("a_visits_20260105.csv", "other file")]
    assert (console.staged()["1"][0], console.staged()["3"][0]) == ("10.00", "33.00")
    assert console.violations() == 0


def test_a_name_that_no_file_has_is_refused(console: House, run, people):
    with pytest.raises(SystemExit):
        command(str(run), "--reason", "r", "--only-file", "c.csv", "b_visits_20260105.csv")
    assert not Job.objects.exists()


def test_files_are_ticked_on_the_page_and_days_narrow_it(console: House, run, operator):
    page = operator.get(f"/runs/{run}/reprocess/?source=files&which=all&only_files=2")
    assert [item["key"] for item in page.context["selection"].included] == ["b_visits_20260105.csv"]
    data = {"source": "files", "which": "all", "reason": "r"}
    wrong = operator.post(f"/runs/{run}/reprocess/", {**data, "only_files": "77"})
    assert wrong.status_code == 422
    wrong = operator.post(f"/runs/{run}/reprocess/", {**data, "since": "2026-02-02", "until": "2026-01-01"})
    assert "before the first one" in wrong.content.decode()
    none = operator.post(f"/runs/{run}/reprocess/", {**data, "since": "2026-02-02"})
    assert (none.status_code, "extracted before 2026-02-02" in none.content.decode()) == (422, True)
    operator.post(f"/runs/{run}/reprocess/", {**data, "only_files": "2", "until": "2026-01-05"})
    assert [item["file"] for item in Job.objects.get().plan.included] == [2]


def test_replace_is_shown_in_the_dry_run_and_done_as_shown(console: House, run, ask, operator):
    dry = finished(ask(run, dry_run=True, mode="replace"))
    assert dry.plan.tables["visits"]["rewritten"] == 1
    page = operator.get(dry.get_absolute_url()).content.decode()
    assert "Every row that the files own is written anew" in page and "1 of the unchanged rows" in page
    job = finished(ask(run, mode="replace"))
    assert (job.state, job.tables) == ("succeeded", dry.plan.tables)
    owners = console.connection.execute("SELECT DISTINCT load_run_file_id FROM stg.visits").fetchall()
    assert len(owners) == 2 and min(owners) > (2,), "also the row that stayed has a new owner"


def test_trap_22_raw_records_go_with_an_approval_and_an_archive(console: House, run, ask, operator, people):
    data = {"source": "files", "which": "all", "reason": "wrong patient", "raw_history": "delete"}
    operator.post(f"/runs/{run}/reprocess/", data)
    job = worked(Job.objects.get())
    assert job.state == "awaiting approval", "though it is small: no rule waives it"
    (asks,) = job.approval.why
    assert "deletes 3 raw records" in asks and "2 delivered files are another than what was loaded" in asks
    assert "nobody knows" not in asks
    before = operator.get(job.get_absolute_url()).content.decode()
    assert "deletes 3 raw records" in before and "Will have no rollback" in before
    gate.decide(job.approval, people["reviewer"], approve=True, digest=job.plan.digest, reason="")
    job = worked(job)
    assert (job.state, job.outcome["raw records deleted"]) == ("succeeded", 3)
    (kept,) = job.outcome["raw_deleted"]["sets"]
    after = operator.get(job.get_absolute_url()).content.decode()
    assert f"/archives/{kept}/" in after and "what an archive set holds can be restored" in after
    assert console.violations() == 0


def test_who_approves_is_told_where_nobody_knows_what_was_loaded(console: House, run, ask):
    console.connection.execute("UPDATE etl.load_run_files SET content_sha256 = NULL")
    (asks,) = worked(ask(run, raw_history="delete")).approval.why
    assert "Of 2 files nobody knows whether what is delivered now is what was loaded" in asks


def test_no_emergency_deletes_raw_records(console: House, run, ask, people):
    job = worked(ask(run, raw_history="delete"))
    with pytest.raises(RefusedError, match="waits for an approval in an emergency too"):
        breaking_glass.let_through(
            job.approval, people["on call"], digest=job.plan.digest, reason="x" * 30, token="000000"
        )


def test_raw_records_are_not_deleted_where_none_are_replaced_or_waves_could_be_taken_back(
    console: House, run, ask, operator, people
):
    with pytest.raises(CannotPlanError, match="making staging anew from raw replaces none"):
        ask(run, raw_history="delete", source="raw")
    data = {"source": "files", "which": "all", "reason": "r", "raw_history": "delete", "publish": "waves"}
    refused = operator.post(f"/runs/{run}/reprocess/", {**data, "shares": "50, 100", "wave_by": "file"})
    assert (refused.status_code, "A rollout keeps the raw records" in refused.content.decode()) == (422, True)
    with pytest.raises(SystemExit):
        command(str(run), "--reason", "r", "--raw-history", "delete", "--source", "raw")
    assert not Job.objects.exists()


def test_raw_records_under_a_legal_hold_are_not_even_planned_to_go(console: House, run, ask, people):
    kept = archive(console, run)
    archive_holds.HOLDS.place(console.connection, kept, reason="court", actor="hana")
    job = worked(ask(run, raw_history="delete"))
    assert job.state == "failed" and f"A legal hold stands on archive set {kept}" in job.error


def declare(house: House, **changes) -> None:
    house.registry = house.registry.with_versions({"Visits": replace(house.visits, **changes)})


def test_the_original_declaration_shows_what_it_would_make_and_publishes_nothing(console: House, run, ask, operator):
    declare(console, rules=(DEAR,))
    now = finished(ask(run, source="raw", dry_run=True))
    assert now.plan.tables["visits"]["deleted"] == 1
    before = console.state()
    former = finished(ask(run, source="raw", dry_run=True, declaration="original"))
    assert (former.state, former.plan.tables["visits"]["deleted"]) == ("previewed", 0)
    assert former.plan.preview and former.plan.preview["declarations"][0]["differences"] == ["rule on fee added"]
    assert console.state() == before
    page = operator.get(former.get_absolute_url()).content.decode()
    assert "nothing can be published this way" in page and "rule on fee added" in page


def test_the_original_declaration_is_refused_for_more_than_a_look(console: House, run, ask, operator, people):
    with pytest.raises(CannotPlanError, match="only a dry run is possible"):
        ask(run, declaration="original")
    data = {"source": "files", "which": "all", "reason": "r", "declaration": "original"}
    refused = operator.post(f"/runs/{run}/reprocess/", data)
    assert (refused.status_code, "Tick the dry run as well" in refused.content.decode()) == (422, True)
    with pytest.raises(SystemExit):
        command(str(run), "--reason", "r", "--declaration", "original")
    assert not Job.objects.exists()


def test_the_original_declaration_is_refused_where_it_cannot_be_applied(console: House, run, ask):
    retyped = tuple(Column("fee", "text") if column.name == "fee" else column for column in console.visits.columns)
    former = console.registry
    declare(console, columns=retyped)
    with pytest.raises(CannotPlanError, match="had other columns"):
        ask(run, dry_run=True, declaration="original")
    console.registry = former
    declare(console, title="Other.")
    finished(ask(run, files=frozenset({1})))
    with pytest.raises(CannotPlanError, match="No file of load run"):
        ask(run, files=frozenset({1}), dry_run=True, declaration="original")
    console.connection.execute("DELETE FROM restage.builds")
    with pytest.raises(CannotPlanError, match="before the declarations of files were kept"):
        ask(run, dry_run=True, declaration="original")


def test_files_of_several_versions_need_a_choice(console: House, ask, people, settings):
    first = console.deliver("20260105", row("1"))
    declare(console, title="Other.")
    second = console.deliver("20260106", row("2"))
    with pytest.raises(CannotPlanError, match="built with 2 versions"):
        requests.ask_reprocess(
            settings.WAREHOUSE_URL,
            [first, second],
            Options(declaration="original"),
            reason="r",
            actor=people["operator"],
            dry_run=True,
        )
