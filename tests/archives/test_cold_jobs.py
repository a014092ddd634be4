"""The cold tier by request: moved, verified, kept in order; who may, what the pages and the trail say."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from approvals.models import Request
from archives import cleaning, cold_tier, cold_upkeep, cooling, drills, keeping, key_search, restore_requests
from archives.restore_requests import Wanted
from audit.models import Event
from jobs.models import Job
from jobs.upkeep import Regular
from tests import cold
from tests.house import House, row
from tests.workers import finished, worked
from warehouse import proofs
from warehouse.archive_sets import NoSuchSetError
from warehouse.cold_sealing import CannotCoolError

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def store(tmp_path: Path, settings) -> Path:
    settings.ARCHIVE = str(tmp_path / "archive")
    return tmp_path / "archive"


@pytest.fixture
def set_id(console: House, store: Path) -> UUID:
    return cold.kept(console)


@pytest.fixture
def ask(people, settings) -> Any:
    def asked(set_id: UUID, **more: Any) -> Job:
        return cooling.ask_cool(settings.WAREHOUSE_URL, set_id, reason="old", actor=people["archive admin"], **more)

    return asked


@pytest.fixture
def moved(set_id: UUID, ask) -> Any:
    return finished(ask(set_id, drop_hot=True))


def actions(set_id: UUID) -> list[str]:
    return list(Event.objects.filter(subject=f"archiveset:{set_id}").order_by("id").values_list("action", flat=True))


def damage(store: Path) -> Path:
    (path,) = store.rglob("rows-*.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    return path


def test_a_set_is_moved_without_an_approval_and_the_trail_says_so(moved: Job, set_id: UUID, console, as_):
    assert (moved.state, moved.error) == ("succeeded", "")
    assert not cold.part_of(console, set_id).hot
    assert actions(set_id) == ["archive moved to the cold tier"]
    page = as_("viewer").get(moved.get_absolute_url()).content.decode()
    assert "Size in files" in page and "its hash made anew" in page
    page = as_("viewer").get(f"/archives/{set_id}/").content.decode()
    assert "in sealed files" in page and "Sound" in page and "Verify the files" not in page


def test_moving_needs_the_right_and_something_to_move(set_id: UUID, moved: Job, ask, people, settings, console):
    with pytest.raises(PermissionDenied):
        cooling.ask_cool(settings.WAREHOUSE_URL, set_id, reason="r", actor=people["viewer"])
    with pytest.raises(CannotCoolError, match="in the cold tier already"):
        ask(set_id, drop_hot=True)
    with pytest.raises(NoSuchSetError):
        ask(uuid4())
    console.connection.execute("UPDATE restage.archive_sets SET removed_at = now()")
    with pytest.raises(CannotCoolError, match="was removed"):
        ask(set_id)


def test_dropping_the_hot_rows_of_a_held_set_asks_somebody_else(set_id: UUID, ask, console):
    console.connection.execute(
        "INSERT INTO restage.archive_holds (set_id, reason, placed_by) VALUES (%s, 'a court asks', 'hana')", [set_id]
    )
    job = worked(ask(set_id, drop_hot=True))
    assert job.state == "awaiting approval"
    assert Request.objects.get(job=job).why == ["The set is on hold: its hot rows would go, its sealed files stay."]
    assert worked(ask(set_id)).state == "queued"


def test_a_store_that_refuses_fails_the_job_and_nothing_else(set_id: UUID, ask, console, store: Path):
    store.write_text("a file where the folder should be")
    job = finished(ask(set_id))
    assert job.state == "failed" and "archive store refuses" in job.error
    assert len(cold.hot_rows(console, set_id)) == 2 and cold.part_of(console, set_id).cold is None


def test_an_archive_can_be_hot_and_cold_at_once(console: House, store: Path, people, settings, as_):
    run = console.deliver("20260105", row("1"), row("2"))
    actor = people["operator"]
    job = finished(
        keeping.ask(settings.WAREHOUSE_URL, run, reason="before", actor=actor, now=timezone.now(), cold=True)
    )
    assert (job.state, job.error, job.outcome["rows"]) == ("succeeded", "", 2)
    part = cold.part_of(console, UUID(job.outcome["set"]))
    assert part.hot and part.cold
    assert "sealed files" in as_("viewer").get(job.get_absolute_url()).content.decode()


def test_a_cold_archive_whose_store_refuses_says_what_is_there(console: House, store: Path, people, settings):
    run = console.deliver("20260105", row("1"))
    store.write_text("a file where the folder should be")
    job = finished(
        keeping.ask(
            settings.WAREHOUSE_URL, run, reason="before", actor=people["operator"], now=timezone.now(), cold=True
        )
    )
    assert job.state == "failed"
    assert "archived in the warehouse" in job.error and "not in the cold tier" in job.error


@pytest.mark.parametrize("deep", [False, True])
def test_a_verification_tells_sound_from_damaged(set_id, moved, store, people, settings, as_, console, deep: bool):
    def verified() -> Any:
        actor = people["archive admin"]
        return finished(cooling.ask_verify(settings.WAREHOUSE_URL, set_id, actor=actor, deep=deep))

    job = verified()
    assert (job.state, job.outcome["holds"]) == ("succeeded", True)
    path = damage(store)
    job = verified()
    assert job.state == "failed" and f"stg.visits, {path.name}: its bytes are not those" in job.error
    assert actions(set_id)[-2:] == ["cold archive verified", "cold archive is not verified"]
    assert path.name in as_("viewer").get(job.get_absolute_url()).content.decode()
    page = as_("viewer").get(f"/archives/{set_id}/").content.decode()
    assert "Damaged" in page and path.name in page


def test_pages_move_and_verify_for_those_who_may(set_id: UUID, as_):
    path = f"/archives/{set_id}/cold/"
    assert as_("viewer").get(path).status_code == 403
    assert as_("viewer").post(f"{path}verification/").status_code == 403
    admin = as_("archive admin")
    assert admin.get(f"{path}verification/").status_code == 405
    told = admin.post(f"{path}verification/", follow=True).content.decode()
    assert "there is nothing to verify" in told
    assert "Move 2 rows" in admin.get(path).content.decode()
    assert admin.post(path, {"reason": " "}).status_code == 422
    asked = admin.post(path, {"reason": "old", "drop_hot": "on"})
    job = finished(Job.objects.get(kind="cool"))
    assert asked.status_code == 302 and job.state == "succeeded"
    assert "in the cold tier already" in admin.post(path, {"reason": "again"}).content.decode()
    assert admin.post(f"{path}verification/", {"deep": "on"}).status_code == 302
    assert Job.objects.get(kind="verify archive").plan.options["deep"]
    assert admin.get(f"/archives/{uuid4()}/cold/").status_code == 404
    assert admin.post(f"/archives/{uuid4()}/cold/verification/").status_code == 404


def test_the_upkeep_has_what_nobody_has_looked_at_for_a_day_verified(set_id, moved, store, console, settings):
    url, now = settings.WAREHOUSE_URL, timezone.now()
    assert cold_upkeep.verify_longest(url, now) is None
    later = now + timedelta(hours=25)
    damage(store)
    job = cold_upkeep.verify_longest(url, later)
    assert job and job.requested_by.get_username() == "Restage"
    assert cold_upkeep.verify_longest(url, later) is None, "one at a time"
    assert finished(job).state == "failed"
    assert actions(set_id)[-1] == "cold archive is not verified"


def test_the_upkeep_reaps_once_an_hour(set_id, moved, store, console):
    later = timezone.now() + timedelta(hours=25)
    upkeep = Regular(cold_upkeep.by_the_clock, every=cold_upkeep.EVERY, failing="stopped")
    upkeep(later - timedelta(minutes=1))
    (store / "aside" / "x").mkdir(parents=True)
    (store / "aside" / "x" / "rows-0001.parquet").write_bytes(b"x")
    upkeep(later)
    assert (store / "aside").exists()
    upkeep(later + timedelta(hours=1))
    assert not (store / "aside").exists()


def test_a_store_that_is_away_only_makes_the_upkeep_wait(set_id, moved, store: Path, settings, caplog):
    settings.ARCHIVE = "s3://nowhere/archive"
    Regular(cold_upkeep.by_the_clock, every=cold_upkeep.EVERY, failing="The upkeep stopped")(timezone.now())
    assert "The upkeep stopped" in caplog.text


def test_files_go_after_a_cleanup_has_removed_their_set(set_id, moved, store, console, people, settings):
    console.connection.execute(
        "UPDATE restage.archive_sets SET archived_at = now() - interval '1 year', expires_at = now() - interval '1 h'"
    )
    job = finished(cleaning.ask(settings.WAREHOUSE_URL, reason="r", actor=people["archive admin"], now=timezone.now()))
    assert job.state == "succeeded", job.error
    assert job.outcome["removed"] == 1
    assert len(cold_upkeep.reap(settings.WAREHOUSE_URL, timezone.now() + timedelta(hours=25))) == 3
    assert cold.files(store) == {}


def test_the_tier_is_signed_with_the_installations_secret(settings, store):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["old"]
    assert len(cold_tier.tier().secrets.known) == 2


def test_a_set_that_lies_in_files_only_is_restored(moved: Job, set_id: UUID, console: House, people, settings):
    console.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    wish = Wanted(set_id)
    job = finished(restore_requests.ask(settings.WAREHOUSE_URL, wish, reason="lost", actor=people["archive admin"]))
    assert (job.state, job.error) == ("succeeded", "")
    assert console.staged() == {"1": ("10.00", "one"), "2": ("10.00", None)}
    assert console.violations() == 0
    assert console.connection.execute(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'restage_build'::regnamespace"
    ).fetchone() == (0,)


def test_damaged_files_are_refused_before_anything_is_written(
    moved: Job, set_id: UUID, store: Path, console: House, people, settings
):
    console.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    damage(store)
    wish = Wanted(set_id)
    job = worked(restore_requests.ask(settings.WAREHOUSE_URL, wish, reason="lost", actor=people["archive admin"]))
    assert job.state == "failed" and job.error
    assert console.staged() == {"2": ("10.00", None)}


def test_a_key_is_looked_for_in_cold_files_only_when_asked(moved, set_id, console, store, as_, people, settings):
    admin, path = as_("archive admin"), "/archives/find/?table=visits"
    page = admin.post(path, {"visit_id": "2"}).content.decode()
    assert "may be: its rows are cold" in page and "Read the files of 1 cold set" in page
    page = admin.post(path, {"visit_id": "2", "exact": "on"}).content.decode()
    assert '<td class="wide">yes</td>' in page and "Read the files" not in page
    page = admin.post(path, {"visit_id": "15", "exact": "on"}).content.decode()
    assert "No archive set that is there holds this key: the files of 1 cold set were looked into" in page
    event = Event.objects.filter(action="archives searched by key").latest("id")
    assert event.detail["cold_sets"] == 1 and set(event.detail) == {"table", "key_hash", "cold_sets"}
    search: dict[str, Any] = {"actor": people["archive admin"], "seconds": 0.0}
    (hit,) = key_search.find_in_files(
        settings.WAREHOUSE_URL, cold_tier.tier(), console.visits, {"visit_id": "2"}, **search
    )
    assert hit.held == key_search.Held.UNREAD
    damage(store)
    assert "its files are damaged" in admin.post(path, {"visit_id": "2", "exact": "on"}).content.decode()
    assert as_("operator").post(path, {"visit_id": "2", "exact": "on"}).status_code == 403


def test_a_drill_reads_the_files_of_a_cold_set_and_fails_when_they_are_damaged(moved, console, store, people, settings):
    settings.BACKUPS = ""
    job = finished(drills.ask(people["archive admin"], reason="quarterly", seed=7))
    assert job.state == "succeeded", job.error
    (proof,) = proofs.of_job(console.connection, job.pk)
    assert (proof.rung, proof.holds, proof.rows) == (proofs.COLD, True, 2)
    assert proof.compared["expected"]["rows"] == proof.compared["found"]["rows"] == 2
    damage(store)
    broken = finished(drills.ask(people["archive admin"], reason="quarterly", seed=7))
    assert broken.state == "failed" and proofs.COLD in broken.error
    last = proofs.last(console.connection, proofs.COLD)
    assert last and not last.holds and Event.objects.filter(action="drill failed").exists()
