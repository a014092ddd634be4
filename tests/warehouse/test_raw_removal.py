"""Deleting the raw records of what a reprocessing replaces: only archived, only as approved, never under a hold."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.archived import archive, restore
from tests.house import House, row
from warehouse import archive_holds, archive_judging, archive_sets, attempts, figures, raw_removal, reprocess, rungs
from warehouse.figures_reading import Scope, superseded
from warehouse.journal import Writer
from warehouse.raw_removal import RawIsHeldError
from warehouse.reprocess import ChangedSincePreviewError, Work
from warehouse.undoing import CannotRollBackError


@pytest.fixture
def run(house: House) -> UUID:
    """Of two files of one day; one of them is then delivered anew."""
    house.write("20260105", row("1"), row("2"), row("x", seen="never"))
    house.write("20260105", row("3"), org="b")
    (loaded,) = house.load().runs
    house.write("20260105", row("1", fee="11"))
    return loaded.load_run_id


def without_raw(house: House, run: UUID, *, job: UUID | None = None, expected_raw=None):
    work, writer = replace(house.work(run), delete_raw=True), Writer(job or uuid4(), 1, "operator")
    outcome = reprocess.execute(
        *(house.connection, house.registry, work, writer),
        reason="a wrong patient",
        expected=None,
        expected_raw=expected_raw,
    )
    return writer.job_id, outcome


def raw(house: House) -> dict[int, int]:
    """Attempt → how many raw records it has."""
    found = house.connection.execute("SELECT load_run_file_id, count(*) FROM raw.visits GROUP BY 1").fetchall()
    return dict(found)


def test_trap_22_the_replaced_records_go_once_their_rows_are_archived(house: House, run: UUID):
    house.deliver("20260106", row("9"), org="c")
    _job, outcome = without_raw(house, run, expected_raw={"visits": 4})
    assert outcome["raw_deleted"]["records"] == {"visits": 4} and outcome["raw records deleted"] == 4
    assert raw(house) == {3: 1, 4: 1, 5: 1}, "the new attempts' records, and those of the other run"
    (kept,) = archive_sets.parts(house.connection, [UUID(s) for s in outcome["raw_deleted"]["sets"]])
    assert (kept.rows, kept.load_run_id) == (3, run), "the rows of staging, not the refused record"
    noted = house.connection.execute("SELECT load_run_file_id, records, set_id FROM restage.raw_deletions ORDER BY 1")
    assert noted.fetchall() == [(1, 3, kept.set_id), (2, 1, kept.set_id)]
    assert house.staged() == {"1": ("11.00", None), "3": ("10.00", None), "9": ("10.00", None)}
    assert house.violations() == 0


def test_a_rollback_is_refused_and_the_archive_set_gives_the_rows_back(house: House, run: UUID):
    job, outcome = without_raw(house, run)
    ladder = rungs.of_job(house.connection, house.registry, job)
    assert not ladder.possible
    assert [rung.name for rung in ladder.rungs if rung.holds] == [rungs.ARCHIVE]
    with pytest.raises(CannotRollBackError, match="are gone"):
        house.roll_back(job)
    restore(house, UUID(outcome["raw_deleted"]["sets"][0]), on_newer="overwrite")
    assert house.staged() == {"1": ("10.00", None), "2": ("10.00", None), "3": ("10.00", None)}
    assert house.violations() == 0


def test_it_is_done_once_whoever_calls_again(house: House, run: UUID):
    job, outcome = without_raw(house, run)
    before = house.state()
    assert without_raw(house, run, job=job)[1] == outcome
    assert house.state() == before
    assert house.connection.execute("SELECT count(*) FROM restage.archive_sets").fetchone() == (1,)


def test_other_records_than_approved_are_not_deleted(house: House, run: UUID):
    before = house.state()
    with pytest.raises(ChangedSincePreviewError, match="raw records of the files have changed"):
        without_raw(house, run, expected_raw={"visits": 3})
    assert house.state() == before
    assert house.connection.execute("SELECT count(*) FROM restage.archive_sets").fetchone() == (0,)


def test_under_a_legal_hold_nothing_goes(house: House, run: UUID):
    kept = archive(house, run)
    hold = archive_holds.HOLDS.place(house.connection, kept, reason="court", actor="hana")
    before = house.state()
    with pytest.raises(RawIsHeldError, match=f"legal hold stands on archive set {kept}"):
        without_raw(house, run)
    assert house.state() == before
    archive_holds.HOLDS.release(house.connection, kept, hold, why="over", actor="hana")
    without_raw(house, run)


def test_a_hold_that_is_placed_meanwhile_waits_for_the_end(house: House, run: UUID):
    """Whoever comes second sees what the first has done: the set is locked while the records go."""
    kept = archive(house, run)
    with house.connection.transaction():
        raw_removal.refuse_held(house.connection, [run])
        with (
            psycopg.connect(house.connection.info.dsn, password=house.connection.info.password) as other,
            pytest.raises(psycopg.errors.LockNotAvailable),
        ):
            other.execute("SET lock_timeout = 200")
            archive_holds.HOLDS.place(other, kept, reason="court", actor="hana")


def test_a_file_that_was_never_loaded_has_nothing_to_delete(house: House):
    path = house.write("20260105", row("1"))
    good = path.read_text()
    path.write_text("visit_id,other\n1,2\n")
    (loaded,) = house.load().runs
    path.write_text(good)
    _job, outcome = without_raw(house, loaded.load_run_id)
    assert outcome["raw_deleted"]["records"] == {"visits": 0}
    assert house.connection.execute("SELECT count(*) FROM restage.raw_deletions").fetchone() == (0,)
    assert list(house.staged()) == ["1"]


def test_its_archive_set_stays_though_a_later_one_of_the_run_has_more_rows(house: House):
    house.write("20260105", row("1"))
    house.write("20260105", row("2"), row("3"), org="b")
    (loaded,) = house.load().runs
    house.write("20260105", row("1", fee="11"))
    first, *_others = (a for a in attempts.of_runs(house.connection, [loaded.load_run_id]) if a.s3_key.startswith("a_"))
    work = Work(files={first.load_run_file_id: first.address.content()}, delete_raw=True)
    _job, outcome = house.reprocess(loaded.load_run_id, work=work)
    kept = UUID(outcome["raw_deleted"]["sets"][0])
    archive(house, loaded.load_run_id)
    later = datetime.now(UTC) + timedelta(days=400)
    (verdict,) = archive_judging.judge(house.connection, house.registry, now=later, sets=[kept])
    assert (verdict.goes, verdict.code) == (False, archive_judging.NEEDED)


def test_the_figures_of_superseded_raw_count_only_what_lies_there(house: House, run: UUID):
    always = Scope(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
    house.reprocess(run)
    figures.refresh(house.connection, zone="UTC")
    assert superseded(house.connection, always)[0].rows == 4
    (second,) = house.connection.execute("SELECT load_run_id FROM restage.run_parents").fetchone() or (run,)
    without_raw(house, second)
    figures.refresh(house.connection, zone="UTC")
    assert superseded(house.connection, always)[0].rows == 4, "those of the first attempts lie there still"
    assert figures.check(house.connection, zone="UTC") == []
