"""Cleanup: what goes and what stays, each for its reason; whole months, mixed months, and what a death leaves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.house import House, row
from tests.warehouse import races
from tests.warehouse.shelf import NOW, Shelf
from warehouse import archive_holds, archive_proof, archive_removal, archive_sets, archive_tables
from warehouse.archive_holds import RemovedError
from warehouse.archive_removal import CannotClearError

MARCH, APRIL = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 4, 10, tzinfo=UTC)
RACES = 15


@pytest.fixture
def shelf(house: House) -> Shelf:
    return Shelf(house)


@pytest.fixture
def run(house: House) -> UUID:
    return house.deliver("20260105", *(row(str(number)) for number in range(20)))


def few(house: House) -> UUID:
    return house.deliver("20260106", row("a"), row("b"), org="b")


def test_what_has_expired_goes_and_the_boundary_stays(shelf: Shelf, run: UUID) -> None:
    at = NOW - timedelta(days=90)
    on_it, before = shelf.keep(run, at), shelf.keep(run, at - timedelta(microseconds=1))
    assert shelf.verdicts() == {on_it: "not expired", before: "goes"}


def test_older_than_is_strict_and_shortens_no_retention(shelf: Shelf, run: UUID) -> None:
    at = NOW - timedelta(days=40)
    on_it, before = shelf.keep(run, at, days=31), shelf.keep(run, at - timedelta(microseconds=1), days=31)
    longer = shelf.keep(run, at - timedelta(days=1), days=90)
    assert shelf.verdicts(older_than=40) == {on_it: "not old enough", before: "goes", longer: "not expired"}


def test_nobody_undercuts_the_minimum(shelf: Shelf, run: UUID) -> None:
    made = shelf.keep(run, NOW - timedelta(days=29), days=1)
    assert shelf.verdicts() == {made: "minimum"}
    assert shelf.clean(made)["removed"] == 0


def test_held_used_and_safety_sets_stay(shelf: Shelf, run: UUID, house: House) -> None:
    job = uuid4()
    held, used = shelf.keep(run, MARCH), shelf.keep(run, MARCH)
    safety = shelf.keep(run, MARCH, kind="safety", job=job)
    hold = shelf.hold(held)
    with house.connection.transaction():
        archive_holds.use(house.connection, used, job)
    house.connection.execute(
        "INSERT INTO restage.pins (table_name, key, load_run_file_id, row_hash, as_of, set_id, job_id)"
        " VALUES ('visits', '{}', 1, 1, now(), gen_random_uuid(), %s)",
        [job],
    )
    assert shelf.verdicts() == {held: "on hold", used: "in use", safety: "way back"}
    assert shelf.clean(held, used, safety)["removed"] == 0
    archive_holds.HOLDS.release(house.connection, held, hold, why="settled", actor="operator")
    archive_holds.disuse(house.connection, job)
    assert shelf.verdicts() == {held: "goes", used: "goes", safety: "way back"}


def test_the_only_way_back_of_a_live_job_stays(shelf: Shelf, run: UUID, house: House) -> None:
    older, newest = shelf.keep(run, MARCH), shelf.keep(run, APRIL)
    job, _outcome = house.reprocess(run)
    assert set(shelf.verdicts().values()) == {"goes"}
    house.connection.execute(
        "DELETE FROM raw.visits r USING etl.load_run_files f WHERE f.load_run_file_id = r.load_run_file_id"
        " AND f.load_run_id = %s",
        [run],
    )
    assert shelf.verdicts() == {older: "goes", newest: "way back"}
    done = shelf.clean(older, newest)
    assert (done["removed"], [stayed["code"] for stayed in done["stayed"]]) == (1, ["way back"])
    assert str(job) in done["stayed"][0]["why"]


def test_a_whole_month_is_dropped(shelf: Shelf, run: UUID) -> None:
    first, second, later = shelf.keep(run, MARCH), shelf.keep(run, MARCH + timedelta(hours=1)), shelf.keep(run, APRIL)
    done = shelf.clean(first, second)
    assert (done["removed"], done["rows"], done["ways"]) == (2, 40, {"dropped": 1, "moved": 0, "deleted": 0})
    assert shelf.partitions() == ["visits_archive_2026_04"]
    assert (shelf.part(first).hot, shelf.part(later).hot, shelf.rows(later)) == (False, True, 20)


def test_it_is_dropped_also_beside_a_default_partition(shelf: Shelf, run: UUID, house: House) -> None:
    archive_tables.make_ahead(house.connection, house.visits, APRIL)
    made = shelf.keep(run, MARCH)
    assert shelf.clean(made)["ways"]["dropped"] == 1
    assert "visits_archive_2026_03" not in shelf.partitions()


def test_of_a_mixed_month_the_fewer_rows_are_written(shelf: Shelf, run: UUID, house: House) -> None:
    small = few(house)
    big_goes, small_stays = shelf.keep(run, MARCH), shelf.keep(small, MARCH, days=900)
    assert shelf.clean(big_goes)["ways"] == {"dropped": 0, "moved": 1, "deleted": 0}
    assert archive_proof.prove(house.connection, shelf.part(small_stays), house.visits).holds
    big_stays, small_goes = shelf.keep(run, APRIL, days=900), shelf.keep(small, APRIL)
    assert shelf.clean(small_goes)["ways"] == {"dropped": 0, "moved": 0, "deleted": 1}
    assert archive_proof.prove(house.connection, shelf.part(big_stays), house.visits).holds
    assert house.connection.execute("SELECT count(*) FROM stg.visits_archive").fetchone() == (22,)
    assert shelf.partitions() == ["visits_archive_2026_03", "visits_archive_2026_04"]
    shelf.keep(run, MARCH)  # the month takes rows as before


def test_rows_that_no_catalogue_knows_stay(shelf: Shelf, run: UUID, house: House) -> None:
    made = shelf.keep(run, MARCH)
    house.connection.execute(
        "INSERT INTO stg.visits_archive (visit_id, load_run_file_id, load_ts, archived_at, archived_load_run_id,"
        " archive_reason) VALUES ('x', 1, now(), %s, gen_random_uuid(), 'by hand')",
        [MARCH + timedelta(days=2)],
    )
    assert shelf.clean(made)["ways"]["moved"] == 1
    assert house.connection.execute("SELECT visit_id FROM stg.visits_archive").fetchall() == [("x",)]


def test_of_the_month_that_is_not_over_rows_are_deleted(shelf: Shelf, run: UUID) -> None:
    made = shelf.keep(run, MARCH, days=1)
    now = datetime(2026, 3, 10, tzinfo=UTC) + timedelta(days=21)
    assert shelf.clean(made, now=now)["removed"] == 0
    early = shelf.keep(run, datetime(2026, 3, 1, tzinfo=UTC), days=29)
    done = shelf.clean(early, now=datetime(2026, 3, 31, 23, tzinfo=UTC))
    assert done["ways"]["deleted"] == 1
    assert shelf.rows(made) == 20


def test_done_twice_it_gives_the_same_outcome_and_removes_once(shelf: Shelf, run: UUID, house: House) -> None:
    made, job = shelf.keep(run, MARCH), uuid4()
    first = shelf.clean(made, job=job)
    assert shelf.clean(made, job=job, epoch=2) == first
    assert shelf.clean(made)["removed"] == 0
    effects = house.connection.execute("SELECT count(*) FROM restage.effects WHERE action = 'cleanup'").fetchone()
    assert effects == (2,)


def test_an_empty_set_goes_too(shelf: Shelf, run: UUID, house: House) -> None:
    house.deliver("20260112", *(row(str(number), fee="11") for number in range(20)))
    made = shelf.keep(run, MARCH)
    assert shelf.part(made).rows == 0
    done = shelf.clean(made)
    assert (done["removed"], done["rows"], shelf.part(made).hot) == (1, 0, False)


@pytest.mark.parametrize("way", ["dropped", "moved", "deleted", "dropped beside a default"])
@pytest.mark.parametrize("point", ["condemned", "clearing", "detached", "cleared", "cleaned"])
def test_a_death_at_any_point_is_finished_by_the_next(
    shelf: Shelf, run: UUID, house: House, monkeypatch, way: str, point: str
) -> None:
    small = few(house)
    if "default" in way:
        archive_tables.make_ahead(house.connection, house.visits, NOW)
    goes = shelf.keep(small if way == "deleted" else run, MARCH)
    stays = shelf.keep(run if way == "deleted" else small, MARCH if way in ("moved", "deleted") else APRIL, days=900)

    class Death(BaseException):
        pass

    def die(name: str) -> None:
        if name == point:
            raise Death

    monkeypatch.setattr(archive_removal, "failpoint", die)
    job = uuid4()
    reaches = point != "detached" or way == "dropped"
    reaches = reaches and (point != "clearing" or way != "dropped")
    if reaches:
        with pytest.raises(Death):
            shelf.clean(goes, job=job)
    monkeypatch.setattr(archive_removal, "failpoint", lambda name: None)
    done = shelf.clean(goes, job=job, epoch=2)
    assert done["removed"] == 1
    part = shelf.part(goes)
    assert part.hot is False
    left = house.connection.execute("SELECT count(*) FROM stg.visits_archive").fetchone()
    assert left == (shelf.part(stays).rows,)
    assert archive_proof.prove(house.connection, shelf.part(stays), house.visits).holds
    assert "visits_archive_2026_03_fresh" not in shelf.partitions()


def test_a_month_that_somebody_has_detached_is_not_dropped_with_other_rows(
    shelf: Shelf, run: UUID, house: House
) -> None:
    goes, stays = shelf.keep(run, MARCH), shelf.keep(run, MARCH + timedelta(hours=1), days=900)
    house.connection.execute("ALTER TABLE stg.visits_archive DETACH PARTITION stg.visits_archive_2026_03")
    with pytest.raises(CannotClearError, match="attach it again"):
        shelf.clean(goes)
    house.connection.execute(
        "ALTER TABLE stg.visits_archive ATTACH PARTITION stg.visits_archive_2026_03"
        " FOR VALUES FROM ('2026-03-01 00:00Z') TO ('2026-04-01 00:00Z')"
    )
    shelf.clean()
    assert (shelf.part(goes).hot, shelf.rows(stays)) == (False, 20)


def test_a_removed_set_takes_neither_hold_nor_use(shelf: Shelf, run: UUID, house: House) -> None:
    made = shelf.keep(run, MARCH)
    shelf.clean(made)
    with pytest.raises(RemovedError, match="its rows are gone"):
        shelf.hold(made)
    with pytest.raises(RemovedError), house.connection.transaction():
        archive_holds.use(house.connection, made, uuid4())


@pytest.mark.parametrize("race", [races.hold_against_cleanup, races.restore_against_cleanup])
def test_a_cleanup_never_has_its_way_together_with_a_hold_or_against_half_a_restore(
    house: House, warehouse_url: str, race: Any
) -> None:
    """Raced many times here, 500 times each in bench/faults."""
    found = race(house, warehouse_url, RACES, seed=20264)
    assert found.wrong == []
    assert 0 < found.first < RACES


def test_the_set_stays_in_the_catalogue(shelf: Shelf, run: UUID, house: House) -> None:
    made = shelf.keep(run, MARCH)
    shelf.clean(made)
    found = archive_sets.of_id(house.connection, made)
    assert found.removed_at and (found.removed_by, found.removed_why) == ("operator", "its retention was over")
