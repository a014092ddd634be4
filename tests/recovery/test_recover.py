"""Recovering chosen rows, as people ask for it: planned, previewed, put beside staging, proved."""

import json
import time
from datetime import UTC, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.utils import timezone

from archives import copies, recovering, restore_requests
from archives.recovering import Asked, CannotPlanRecoveryError
from archives.restore_requests import Wanted
from audit.models import Event
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row
from tests.workers import finished, worked
from warehouse import archive_proof, archive_sets, marks, proofs, side_tables
from warehouse.recovered import Classes

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def _near(kept, warehouse_url):
    """A base backup of just now: else every test replays the WAL of all before it."""
    kept.folder.take(kept.url(), label=uuid4().hex)


@pytest.fixture
def loaded(recoverable: House):
    return recoverable.deliver("20260105", row("1", fee="1"), row("2", fee="2"))


@pytest.fixture
def ask(recoverable: House, people):
    def asked(*, actor="archive admin", dry_run=False, **what) -> Job:
        wanted = Asked(**{"table": "visits", **what})
        return recovering.ask(
            recoverable.connection,
            wanted,
            reason="rows are lost",
            actor=people[actor],
            now=timezone.now(),
            dry_run=dry_run,
        )

    return asked


def moment(house: House):
    (now,) = house.connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
    time.sleep(0.01)
    return now


def in_side(house: House, job: Job, columns="visit_id, fee::text") -> list[tuple[str, ...]]:
    assert job.outcome
    return house.connection.execute(f"SELECT {columns} FROM {job.outcome['side']} ORDER BY 1").fetchall()


def test_destroyed_rows_come_back_beside_staging_as_they_were(recoverable, loaded, ask, settings):
    at, before = moment(recoverable), recoverable.connection.execute("TABLE stg.visits ORDER BY visit_id").fetchall()
    recoverable.connection.execute("UPDATE stg.visits SET fee = 99 WHERE visit_id = '1'")
    recoverable.connection.execute("DELETE FROM stg.visits WHERE visit_id = '2'")
    staged = recoverable.staged()
    job = finished(ask(when=at))
    assert job.state == "succeeded", job.error
    assert recovering.classes_of(job) == Classes(absent=1, changed=1)
    names = [
        c
        for (c,) in recoverable.connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'stg.visits'::regclass AND attnum > 0 ORDER BY attnum"
        )
    ]
    assert sorted(in_side(recoverable, job, ", ".join(names))) == sorted(before)
    assert in_side(recoverable, job, "visit_id, archived_at, archived_load_run_id") == [
        ("1", at, loaded),
        ("2", at, loaded),
    ]
    assert recoverable.staged() == staged, "staging stays as it is"
    (proof,) = proofs.of_job(recoverable.connection, job.pk)
    assert (proof.rung, proof.holds, proof.rows, proof.drill) == (proofs.POINT_IN_TIME, True, 2, False)
    assert list(Path(settings.RECOVERED).iterdir()) == []
    assert recoverable.connection.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname = 'restage_build'"
    ).fetchone() == (0,)
    assert Event.objects.filter(subject=f"job:{job.pk}", action="job succeeded").exists()


def test_just_before_a_job_is_the_moment_before_its_first_effect(recoverable, loaded, ask, people, settings):
    recoverable.write("20260105", row("1", fee="7"), row("2", fee="8"))
    reprocessed = finished(
        requests.ask_reprocess(settings.WAREHOUSE_URL, [loaded], Options(), reason="rule", actor=people["operator"])
    )
    assert reprocessed.state == "succeeded", reprocessed.error
    mark = marks.of_job(recoverable.connection, reprocessed.pk)
    assert mark and mark.lsn
    recoverable.connection.execute("TRUNCATE stg.visits")
    job = finished(ask(when=reprocessed.pk))
    assert job.state == "succeeded", job.error
    assert in_side(recoverable, job) == [("1", "1.00"), ("2", "2.00")]
    assert recovering.classes_of(job) == Classes(absent=2)


def test_rows_of_one_load_run_are_compared_with_who_owns_them_now(recoverable, loaded, ask):
    at = moment(recoverable)
    recoverable.deliver("20260106", row("2", fee="3"), row("3"))
    later = moment(recoverable)
    job = finished(ask(when=later, load_run=loaded))
    assert in_side(recoverable, job) == [("1", "1.00")]
    job = finished(ask(when=at, load_run=loaded))
    assert recovering.classes_of(job) == Classes(identical=1, newer=1)


def test_a_dry_run_counts_and_leaves_nothing(recoverable, loaded, ask):
    at = moment(recoverable)
    recoverable.connection.execute("TRUNCATE stg.visits")  # its lock is in the WAL before the moment, its commit after
    job = worked(ask(when=at, dry_run=True))
    assert job.state == "previewed"
    assert recovering.classes_of(job) == Classes(absent=2)
    assert recoverable.connection.execute(
        "SELECT count(*) FROM pg_tables WHERE schemaname IN ('restage_build', 'restage_side')"
    ).fetchone() == (0,)


def test_it_refuses_what_cannot_be_and_who_may_not(recoverable, loaded, ask):
    now = timezone.now()
    with pytest.raises(PermissionDenied):
        ask(when=now, actor="operator")
    with pytest.raises(CannotPlanRecoveryError, match=r"no table stg\.nonsense"):
        ask(when=now, table="nonsense")
    with pytest.raises(CannotPlanRecoveryError, match="has not come yet"):
        ask(when=now + timedelta(hours=1))
    with pytest.raises(CannotPlanRecoveryError, match="has changed nothing"):
        ask(when=uuid4())
    with pytest.raises(copies.NotRecoverableError, match="before the oldest base backup"):
        ask(when=now - timedelta(days=365))
    assert not Job.objects.exists()


def test_a_table_that_was_not_there_yet_is_told(recoverable, loaded, ask, backup):
    job = worked(ask(when=backup.ended_at + timedelta(milliseconds=1)))
    assert job.state == "failed"
    assert "does not exist" in job.error or "was not there" in job.error, job.error


def test_no_repository_is_told_with_what_to_set(recoverable, loaded, ask, settings):
    settings.BACKUPS = ""
    with pytest.raises(copies.NotRecoverableError, match="RESTAGE_RECOVERY_COMMAND"):
        ask(when=timezone.now())


def test_side_tables_go_after_their_time_and_others_stay(recoverable, loaded, ask):
    job = finished(ask(when=moment(recoverable)))
    recoverable.connection.execute("CREATE TABLE restage_side.of_somebody (id integer)")
    drop = side_tables.drop_expired
    assert drop(recoverable.connection, timezone.now() + timedelta(days=6)) == []
    assert drop(recoverable.connection, timezone.now() + timedelta(days=8)) == [job.outcome["side"].split(".")[1]]
    with pytest.raises(psycopg.errors.UndefinedTable):
        in_side(recoverable, job)
    recoverable.connection.execute("SELECT FROM restage_side.of_somebody")


def test_the_command_says_the_same(recoverable, loaded, people):
    out = StringIO()
    call_command(
        *("recover", "--table", "visits", "--at", moment(recoverable).isoformat(), "--as", "archive admin"),
        *("--wait", "--json"),
        stdout=out,
    )
    said = json.loads(out.getvalue())
    assert (said["state"], said["classes"]["identical"], said["classes"]["rows"]) == ("succeeded", 2, 2)
    assert said["side"].startswith("restage_side.visits_")
    with pytest.raises(SystemExit) as refused:
        call_command("recover", "--table", "visits", "--at", "yesterday", "--json", stdout=StringIO())
    assert refused.value.code == 2


def test_recovered_rows_go_into_staging_as_a_set_that_is_restored(recoverable, loaded, ask, people, settings):
    house, at = recoverable, moment(recoverable)
    house.connection.execute("ALTER TABLE stg.visits ADD COLUMN asked_for text")
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    house.deliver("20260106", row("2", fee="5"), row("3"))
    job = finished(ask(when=at, into=recovering.SET))
    assert job.state == "succeeded", job.error
    made = UUID(job.outcome["set"])
    found, (part,) = archive_sets.of_id(house.connection, made), archive_sets.parts(house.connection, [made])
    assert (found.kind, found.load_run_id, part.rows) == ("recovered", loaded, 2)
    assert found.reason.startswith(f"recovered as of {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC: rows are lost")
    assert archive_proof.verify(house.connection, part, house.visits).holds
    admin = people["archive admin"]
    wanted = Wanted(made)
    shown = finished(restore_requests.ask(settings.WAREHOUSE_URL, wanted, reason="r", actor=admin, dry_run=True))
    assert shown.state == "previewed", shown.error
    assert {name: shown.tables["visits"][name] for name in ("absent", "identical", "newer")} == {
        "absent": 1,
        "identical": 0,
        "newer": 1,
    }
    assert "asked_for is not in the set" in " ".join(shown.plan.preview["told"]["visits"])
    restored = finished(restore_requests.confirm(settings.WAREHOUSE_URL, shown, actor=admin))
    assert restored.state == "succeeded", restored.error
    assert {visit: fee for visit, (fee, *_rest) in house.staged().items()} == {"1": "1.00", "2": "5.00", "3": "10.00"}
    assert house.violations() == 0
    again = finished(restore_requests.ask(settings.WAREHOUSE_URL, wanted, reason="r", actor=admin))
    assert again.outcome["proven"] == 0, "the second time changes nothing"


def test_nothing_then_makes_no_set(recoverable, loaded, ask):
    recoverable.connection.execute("DELETE FROM stg.visits")
    job = finished(ask(when=moment(recoverable), into=recovering.SET))
    assert job.state == "failed" and "nothing to make a set of" in job.error
    assert recoverable.connection.execute("SELECT count(*) FROM restage.archive_sets").fetchone() == (0,)
