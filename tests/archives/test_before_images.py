"""Before-images in the account of archives: retention, budget, holds, and what never goes."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from audit.models import Event
from reprocessing import image_retention, requests
from reprocessing.planning import Options
from tests.archived import archive
from tests.house import House, row
from tests.workers import finished
from warehouse import before_images, image_holds, image_removal
from warehouse.image_removal import BEYOND, EXPIRED

pytestmark = pytest.mark.django_db(databases="__all__")
LATER = timezone.now() + timedelta(days=2)


@pytest.fixture
def jobs(console: House, people, settings) -> list[UUID]:
    """Three jobs that have replaced rows of three runs, the oldest first."""
    made = []
    for day in ("20260105", "20260106", "20260107"):
        run = console.deliver(day, row(day))
        console.write(day, row(day, fee="77"))
        asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
        made.append(finished(asked).pk)
    return made


def purge(house: House, *, budget: int, now=LATER, needed=()) -> list[tuple[UUID, str]]:
    removed = image_removal.purge(house.connection, house.registry, now=now, budget=budget, needed=needed)
    return [(gone.image.job_id, gone.why) for gone in removed]


def size(house: House) -> int:
    return image_removal.account(house.connection).bytes


def test_beyond_the_budget_the_oldest_go_until_the_rest_fits(console: House, jobs):
    assert purge(console, budget=size(console)) == []
    assert purge(console, budget=size(console) - 1) == [(jobs[0], BEYOND)]
    assert purge(console, budget=0, needed=[jobs[1]]) == [(jobs[2], BEYOND)]
    assert {image.job_id for image in before_images.everything(console.connection)} == {jobs[1]}


def test_what_is_younger_than_a_day_is_no_matter_of_the_budget(console: House, jobs):
    assert purge(console, budget=0, now=timezone.now()) == []


def test_a_hold_stays_over_budget_and_expiry_until_it_is_released(console: House, jobs):
    hold = image_holds.HOLDS.place(console.connection, jobs[0], reason="a case", actor="keeper")
    late = timezone.now() + before_images.KEPT_FOR + timedelta(days=1)
    assert purge(console, budget=0, now=late) == [(jobs[1], EXPIRED), (jobs[2], EXPIRED)]
    image_holds.HOLDS.release(console.connection, jobs[0], hold, why="closed", actor="keeper")
    assert purge(console, budget=0, now=late) == [(jobs[0], EXPIRED)]
    with pytest.raises(image_holds.NoImageError):
        image_holds.HOLDS.place(console.connection, jobs[0], reason="too late", actor="keeper")


def test_the_only_way_back_of_a_job_that_counts_stays(console: House, jobs):
    console.connection.execute(
        "DELETE FROM raw.visits USING etl.load_run_files f WHERE f.load_run_file_id = visits.load_run_file_id"
        " AND f.superseded_at IS NOT NULL"
    )
    assert purge(console, budget=0) == []
    (run,) = console.connection.execute(
        "SELECT parent_load_run_id FROM restage.run_parents WHERE job_id = %s", [jobs[1]]
    ).fetchone() or (None,)
    console.connection.execute(
        "UPDATE stg.visits SET load_run_file_id = f.load_run_file_id FROM etl.load_run_files f"
        " WHERE f.load_run_id = %s",
        [run],
    )
    archive(console, run)
    assert purge(console, budget=0) == [(jobs[1], BEYOND)], "an archive set holds its rows by now"
    console.connection.execute("UPDATE etl.load_run_files SET status = 'rolled_back' WHERE superseded_at IS NULL")
    assert {job for job, _why in purge(console, budget=0)} == {jobs[0], jobs[2]}


def test_the_upkeep_removes_and_the_trail_and_pages_say_why(console: House, jobs, as_, monkeypatch, settings):
    page = as_("viewer").get("/archives/").content.decode()
    assert "of 3 jobs, 3 keys" in page and "kept for 30 days" in page
    monkeypatch.setattr(image_removal, "BUDGET", 1)
    image_retention.by_the_clock(LATER)
    event = Event.objects.get(action="before-image purged", subject=f"job:{jobs[0]}")
    assert event.detail["why"] == BEYOND
    shown = as_("viewer").get(f"/archives/before-images/{jobs[0]}/").content.decode()
    assert "Purged" in shown and BEYOND in shown and "Place a hold" not in shown
    ladder = as_("viewer").get("/recovery/tables/visits/").content.decode()
    assert f"as {BEYOND}" in ladder
    assert as_("viewer").get(f"/archives/before-images/{UUID(int=1)}/").status_code == 404
