"""The recovery ladder: what each rung says of a load run and a table is what SQL says, and leads to the act itself."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from approvals import gate
from approvals.models import Request
from archives import ladder, recovery_shown, restore_requests
from archives.restore_requests import Wanted
from jobs.models import Job
from reprocessing import requests, rollback_requests
from reprocessing.planning import Options
from tests.archived import archive
from tests.house import House, row
from tests.workers import finished, worked
from warehouse import image_removal, proofs, registry
from warehouse.journal import Writer
from warehouse.proofs import Proof
from warehouse.rung_sources import Scope

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def lost(recoverable: House, people, settings):
    """A run that was archived and then reprocessed into something else; gives (run, set, job)."""
    run = recoverable.deliver("20260105", row("1", fee="1"), row("2", fee="2"), row("3"))
    kept = archive(recoverable, run)
    recoverable.write("20260105", row("1", fee="7"), row("2", fee="2"), row("4"))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    job = finished(asked)
    assert job.state == "succeeded", job.error
    return run, kept, job


def rungs(house: House, **scope):
    found = ladder.of(house.connection, registry.current(), Scope(**scope), timezone.now())
    assert [rung.name for rung in found] == list(ladder.TITLES)
    return {rung.name: rung for rung in found}


def count(house: House, query: str, *values) -> int:
    (found,) = house.connection.execute(query.encode(), values).fetchone() or (0,)
    return int(found)


def test_every_rung_says_what_sql_says_and_leads_to_its_act(recoverable: House, lost, told):
    run, kept, job = lost
    found = rungs(recoverable, run=run)
    image, hot, cold, raw, point = found.values()
    assert (image.can, dict(image.tables)) == (True, {"visits": 2})
    assert image.rows == count(
        recoverable, "SELECT count(*) FROM restage.before_images WHERE job_id = %s AND image IS NOT NULL", job.pk
    )
    assert image.action.url == f"/jobs/{job.pk}/rollback/"
    assert "1 row that it added goes." in image.sources[0].told
    assert (hot.can, hot.rows, hot.action.url) == (True, 3, f"/archives/restore/{kept}/")
    assert hot.rows == count(
        recoverable, "SELECT count(*) FROM stg.visits_archive WHERE archived_load_run_id = %s", run
    )
    assert (cold.can, cold.rows, cold.action) == (False, 0, None)
    assert (raw.can, dict(raw.tables)) == (True, {"visits": 3})
    assert point.can and point.rows is None
    before = next(source for source in point.sources if str(job.pk) in source.what)
    assert before.can and before.until
    assert f"before_job={job.pk}" in before.action.url and f"run={run}" in before.action.url
    by_table = rungs(recoverable, table="visits")
    assert {name: rung.can for name, rung in by_table.items()} == {name: rung.can for name, rung in found.items()}
    assert by_table[proofs.BEFORE_IMAGE].rows == 2
    said = told("ladder", str(run))
    assert [rung["can"] for rung in said["rungs"]] == [True, True, False, True, True]
    assert said["rungs"][1]["tables"] == {"visits": 3}
    assert said["rungs"][0]["until"]


def test_a_rung_that_is_gone_says_so(recoverable: House, lost, settings):
    run, kept, _job = lost
    connection = recoverable.connection
    image_removal.purge(connection, registry.current(), now=timezone.now() + timedelta(days=400))
    connection.execute("UPDATE restage.archive_sets SET removed_at = now() WHERE set_id = %s", [kept])
    connection.execute("DELETE FROM raw.visits")
    settings.BACKUPS = ""
    found = rungs(recoverable, run=run)
    assert not any(rung.can for rung in found.values())
    assert "purged since" in found[proofs.BEFORE_IMAGE].told
    assert "1 set was kept and removed since" in found[proofs.ARCHIVE].told
    assert "No base backups are registered" in found[proofs.POINT_IN_TIME].told
    assert all(rung.action is None for rung in found.values())


def test_a_set_that_is_damaged_or_a_job_taken_back_is_no_way_back(recoverable: House, lost):
    run, _kept, job = lost
    recoverable.connection.execute("""UPDATE restage.archive_parts SET verified = '{"hot": {"holds": false}}'""")
    Job.objects.filter(pk=job.pk).update(state=Job.State.ROLLED_BACK)
    found = rungs(recoverable, run=run)
    assert not found[proofs.ARCHIVE].can and "Do not restore" in found[proofs.ARCHIVE].sources[0].told
    assert not found[proofs.BEFORE_IMAGE].can and "rolled back" in found[proofs.BEFORE_IMAGE].sources[0].told


def test_the_pages_show_it_by_right_and_a_failed_drill_loudly(recoverable: House, lost, as_, people):
    run, _kept, job = lost
    proof: dict[str, Any] = {"drill": True, "rows": 3, "compared": {}}
    for rung, seconds, holds in ((proofs.ARCHIVE, 4.0, True), (proofs.POINT_IN_TIME, 70.0, False)):
        writer = Writer(uuid4(), 1, "drill")
        proofs.keep(recoverable.connection, writer, rung, seconds=seconds, holds=holds, told=f"Told {rung}.", **proof)
    viewer, admin = as_("viewer"), as_("archive admin")
    page = viewer.get("/recovery/").content.decode()
    assert "A way back failed its last proof" in page and "Told point-in-time copy." in page
    assert "1 min 10 s" in page and 'class="bad"' in page and "Hold a drill now" not in page
    shown = admin.get("/recovery/").content.decode()
    assert "Hold a drill now" in shown and "Take one now" in shown and "first" in shown
    ladder_page = viewer.get(f"/recovery/runs/{run}/").content.decode()
    assert "Its last proof failed" in ladder_page and "in 4 s" in ladder_page
    assert "Restore it" not in ladder_page and "There is a way back" in ladder_page
    back, of_admin = f"/jobs/{job.pk}/rollback/", admin.get("/recovery/tables/visits/").content.decode()
    assert back not in of_admin and "Choose a moment" in of_admin  # each act for whoever has its right
    assert back in as_("operator").get("/recovery/tables/visits/").content.decode()
    assert viewer.get("/recovery/", {"run": run}).url == f"/recovery/runs/{run}/"
    assert viewer.get("/recovery/", {"table": "visits"}).url == "/recovery/tables/visits/"
    assert viewer.get("/recovery/", {"run": "\x00"}).status_code == 422
    assert viewer.get(f"/recovery/runs/{uuid4()}/").status_code == 404
    assert viewer.get("/recovery/tables/nonsense/").status_code == 404


def test_drills_backups_and_recoveries_are_asked_for_by_their_forms(recoverable: House, lost, as_):
    run, _kept, job = lost
    viewer, admin = as_("viewer"), as_("archive admin")
    for path in ("/recovery/drill/", "/recovery/backups/"):
        assert viewer.post(path).status_code == 403 and admin.get(path).status_code == 405
    assert viewer.get("/recovery/recover/").status_code == 403
    assert not Job.objects.filter(kind__in=["drill", "base backup", "recover"]).exists()
    assert Job.objects.filter(kind="drill", pk=admin.post("/recovery/drill/").url.split("/")[2]).exists()
    assert Job.objects.filter(kind="base backup", pk=admin.post("/recovery/backups/").url.split("/")[2]).exists()
    form = admin.get("/recovery/recover/", {"before_job": job.pk, "run": run, "table": "visits"}).content.decode()
    assert str(job.pk) in form and str(run) in form
    wanted = {
        "table": "visits",
        "before_job": job.pk,
        "run": run,
        "reason": "rows are lost",
        "into": "set",
        "dry_run": "on",
    }
    asked = Job.objects.get(pk=admin.post("/recovery/recover/", wanted).url.split("/")[2])
    assert (asked.kind, asked.dry_run, asked.plan.options["into"]) == ("recover", True, "set")
    for wrong in ({"before_job": ""}, {"at": "2026-01-01T00:00:00"}, {"reason": ""}, {"before_job": uuid4()}):
        answer = admin.post("/recovery/recover/", wanted | wrong)
        assert answer.status_code == 422, wrong


def test_the_times_are_to_scale():
    def proof(seconds: float) -> Proof:
        return Proof(proofs.ARCHIVE, True, uuid4(), timezone.now(), seconds, True, 1, "", {})

    made = recovery_shown.times([proof(10), proof(40)], goal_seconds=20)
    assert [bar.height for bar in made.bars] == [30, 120]
    assert made.goal_y == 60 and made.longest == 40
    assert recovery_shown.times([proof(1)], goal_seconds=3600).goal_y is None
    assert recovery_shown.times([], goal_seconds=60).bars == []


def test_the_command_refuses_what_it_cannot_know(told):
    assert "no load run" in told("ladder", str(uuid4()), code=1)["error"]
    assert "Name a load run" in told("ladder", code=2)["error"]
    assert "no table nonsense" in told("ladder", "--table", "nonsense", code=2)["error"]


def test_a_use_of_a_rung_is_its_proof(recoverable: House, lost, people, settings):
    run, kept, job = lost
    undone = rollback_requests.ask(settings.WAREHOUSE_URL, job, reason="r", actor=people["operator"])
    undone = worked(undone)
    gate.decide(Request.objects.get(job=undone), people["reviewer"], approve=True, digest=undone.plan.digest, reason="")
    assert worked(undone).state == "succeeded"
    wanted = Wanted(kept, into="side")
    restored = restore_requests.ask(settings.WAREHOUSE_URL, wanted, reason="r", actor=people["archive admin"])
    assert finished(restored).state == "succeeded"
    found = rungs(recoverable, run=run)
    image, hot = found[proofs.BEFORE_IMAGE].proved, found[proofs.ARCHIVE].proved
    assert image and (image.job_id, image.rows, image.drill) == (undone.pk, 3, False)
    assert hot and (hot.job_id, hot.rows) == (restored.pk, 3) and 0 < hot.seconds < 60


@pytest.mark.parametrize("odd", ["\x00", "' OR 1=1 --", "9" * 5000, "-1", "%", "../../etc", "<script>"])
def test_odd_values_are_answered(recoverable: House, as_, odd: str):
    client, before = as_("administrator"), Job.objects.count()
    for name in ("table", "run"):
        assert client.get("/recovery/", {name: odd}).status_code in (200, 422)
    good = {"table": "visits", "at": "2026-01-01T00:00:00", "into": "set", "reason": "r"}
    for name in ("table", "at", "before_job", "run", "into"):
        assert client.get("/recovery/recover/", {name: odd}).status_code == 200
        assert client.post("/recovery/recover/", {**good, name: odd}).status_code == 422
    assert Job.objects.count() == before
