"""Reprocessing on the warehouse: what is published, kept and left alone. Traps are those of the first warehouse."""

from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import psycopg
import pytest

from tests.house import House, new_run, row
from warehouse import attempts, reprocess, verification
from warehouse.attempts import ReplacedMeanwhileError
from warehouse.journal import LostFenceError, Writer
from warehouse.progress import Progress
from warehouse.publish import CountMismatchError
from warehouse.reprocess import ChangedSincePreviewError, FileFailedError, Work


def test_one_changed_row_is_one_update(house: House):
    run = house.deliver("20260105", *(row(str(n)) for n in range(50)))
    house.write("20260105", *(row(str(n), fee="99" if n == 7 else "10") for n in range(50)))
    _job, outcome = house.reprocess(run)
    assert outcome["tables"]["visits"] | {"checksum": ""} == {
        "inserted": 0, "updated": 1, "deleted": 0, "unchanged": 49, "kept_newer": 0, "rejected": 0,
        "deleted_by_rejection": 0, "rewritten": 0, "deduplicated": 0, "records": 50, "checksum": "",
    }  # fmt: skip
    assert house.staged()["7"] == ("99.00", None)
    assert house.violations() == 0


def test_traps_1_2_5_22_a_new_attempt_has_its_own_rows_and_its_parent(house: House):
    run = house.deliver("20260105", row("1"))
    _job, outcome = house.reprocess(run)
    files = house.connection.execute(
        "SELECT load_run_id::text, predecessor_load_run_file_id, status, superseded_at IS NULL, date_extracted,"
        " (SELECT count(*) FROM raw.visits r WHERE r.load_run_file_id = f.load_run_file_id)"
        " FROM etl.load_run_files f ORDER BY load_run_file_id"
    ).fetchall()
    (old, new) = files
    assert old[:4] == (str(run), None, "completed", False)
    assert new[:4] == (str(new_run(outcome)), 1, "completed", True)
    assert old[4] == new[4], "the source's extraction time is inherited (trap 8)"
    assert old[5] == new[5] == 1, "raw rows of the old attempt stay as they are"
    parent = house.connection.execute("SELECT parent_load_run_id::text, reason FROM restage.run_parents").fetchall()
    assert parent == [(str(run), "logic changed")]
    shown = house.connection.execute("SELECT is_superseded FROM restage.raw_visits ORDER BY load_run_file_id")
    assert shown.fetchall() == [(True,), (False,)]


def test_trap_3_a_failed_file_is_loaded_by_its_next_attempt(house: House):
    path = house.write("20260105", row("1"))
    good = path.read_text()
    path.write_text("visit_id,other\n1,2\n")
    (loaded,) = house.load().runs
    assert loaded.failed
    assert house.staged() == {}
    path.write_text(good)
    house.reprocess(loaded.load_run_id)
    assert list(house.staged()) == ["1"]
    assert house.violations() == 0


def test_trap_4_a_file_that_is_gone_stops_the_job_before_anything_changes(house: House):
    run = house.deliver("20260105", row("1"))
    work, before = house.work(run), house.state()
    (house.folder / "a_visits_20260105.csv").unlink()
    with pytest.raises(FileFailedError, match=r"not in .* any more.*Nothing was changed"):
        house.reprocess(run, work=work)
    assert house.state() == before


def test_a_file_that_changed_since_the_plan_stops_the_job(house: House):
    run = house.deliver("20260105", row("1"))
    work, before = house.work(run), house.state()
    house.write("20260105", row("1", fee="11"))
    with pytest.raises(FileFailedError, match="has changed since it was planned"):
        house.reprocess(run, work=work)
    assert house.state() == before


def test_trap_8_a_newer_file_keeps_its_rows(house: House):
    old = house.deliver("20260105", row("1", fee="10"), row("2"))
    house.deliver("20260112", row("1", fee="20"))
    house.write("20260105", row("1", fee="15"), row("2"))
    _job, outcome = house.reprocess(old)
    counts = outcome["tables"]["visits"]
    assert (counts["kept_newer"], counts["unchanged"], counts["updated"]) == (1, 1, 0)
    assert house.staged()["1"][0] == "20.00"
    assert house.violations() == 0


def test_trap_9_a_key_falls_back_to_the_earlier_file_that_still_holds_it(house: House):
    house.deliver("20260105", row("1", fee="10"))
    later = house.deliver("20260112", row("1", fee="20"), row("2"))
    house.write("20260112", row("2"))
    _job, outcome = house.reprocess(later)
    assert outcome["tables"]["visits"]["updated"] == 1
    assert house.staged()["1"][0] == "10.00"
    assert house.violations() == 0


def test_trap_10_a_key_that_vanishes_is_told_from_one_that_is_rejected(house: House):
    run = house.deliver("20260105", row("1"), row("2"), row("3"))
    house.write("20260105", row("1", seen="2026-02-31"), row("3"))
    _job, outcome = house.reprocess(run)
    counts = outcome["tables"]["visits"]
    assert (counts["deleted"], counts["deleted_by_rejection"], counts["rejected"]) == (2, 1, 1)
    found = house.connection.execute(
        "SELECT column_name, value_class, reason, record_no FROM restage.rejections WHERE stage = 'transform'"
    ).fetchall()
    assert found == [("seen_on", "date in ISO form", "not a date", 1)]
    assert house.violations() == 0


def test_trap_12_13_folding_existing_raw_uses_only_live_rows(house: House):
    run = house.deliver("20260105", row("1"), row("2"))
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '2'")
    house.connection.execute("UPDATE stg.visits SET fee = 0")
    ids = tuple(a.load_run_file_id for a in attempts.of_runs(house.connection, [run]))
    _job, outcome = house.reprocess(run, work=Work(refold=ids))
    counts = outcome["tables"]["visits"]
    assert (counts["inserted"], counts["updated"], outcome["load_runs"]) == (1, 1, {})
    assert house.violations() == 0


def test_trap_14_the_last_record_of_a_file_wins_a_tie(house: House):
    house.deliver("20260105", row("1", fee="1"), row("1", fee="2"), row("1", fee="3", updated="2026-01-01 10:00"),
                  row("1", fee="4"))  # fmt: skip
    assert house.staged()["1"][0] == "3.00", "a record's own update time beats its place"
    house.deliver("20260112", row("2", fee="1"), row("2", fee="2"))
    assert house.staged()["2"][0] == "2.00"
    assert house.violations() == 0


def test_trap_17_a_failed_attempt_leaves_the_old_one_live(house: House):
    run = house.deliver("20260105", row("1"))
    path, before = house.folder / "a_visits_20260105.csv", house.state()
    path.write_text("no header\n")
    with pytest.raises(FileFailedError):
        house.reprocess(run)
    assert house.state() == before


def test_trap_6_only_the_live_attempt_can_be_replaced(house: House):
    run = house.deliver("20260105", row("1"))
    work = house.work(run)
    house.reprocess(run)
    before = house.state()
    with pytest.raises(ReplacedMeanwhileError):
        house.reprocess(run, work=work)
    assert house.state() == before


def test_a_chain_of_attempts_stands_in_the_first_ones_place(house: House):
    first = house.deliver("20260105", row("1", fee="1"), org="a")
    house.deliver("20260105", row("1", fee="2"), org="b")
    head = first
    for fee in ("3", "4"):
        house.write("20260105", row("1", fee=fee), org="a")
        _job, outcome = house.reprocess(head)
        head = new_run(outcome)
        assert house.staged()["1"][0] == "2.00", "file order is the original's, however new the attempt"
    assert house.violations() == 0


def test_a_dry_run_writes_nothing_and_counts_what_the_run_does(house: House):
    run = house.deliver("20260105", *(row(str(n)) for n in range(9)))
    house.write("20260105", *(row(str(n), fee=str(n % 3)) for n in range(2, 12)))
    work, before = house.work(run), house.state()
    preview = house.prepare(work)
    assert house.state() == before
    _job, outcome = house.reprocess(run, work=work, expected=preview.diffs)
    assert outcome["tables"]["visits"] == preview.diffs["visits"].as_json()


def test_what_changed_since_the_preview_is_not_published(house: House):
    run = house.deliver("20260105", row("1"), row("2"))
    house.write("20260105", row("1", fee="11"), row("2"))
    work = house.work(run)
    preview = house.prepare(work)
    house.deliver("20260112", row("1", fee="12"))
    before = house.state()
    with pytest.raises(ChangedSincePreviewError, match="Nothing was changed"):
        house.reprocess(run, work=work, expected=preview.diffs)
    assert house.state() == before


def test_the_same_job_has_one_effect_however_often_it_is_asked(house: House):
    run = house.deliver("20260105", row("1"))
    work = house.work(run)
    job, first = house.reprocess(run, work=work)
    before = house.state()
    _job, again = house.reprocess(run, job=job, work=work, epoch=2)
    assert again == first
    assert house.state() == before


def test_a_worker_that_lost_the_job_writes_nothing(house: House):
    run, job = house.deliver("20260105", row("1")), uuid4()
    house.connection.execute("INSERT INTO restage.job_fences VALUES (%s, 5)", [job])
    before = house.state()
    with pytest.raises(LostFenceError):
        house.reprocess(run, job=job, epoch=4)
    assert house.state() == before


def test_nothing_is_left_in_the_building_room(house: House):
    house.reprocess(house.deliver("20260105", row("1")))
    left = "SELECT tablename FROM pg_tables WHERE schemaname = 'restage_build'"
    assert house.connection.execute(left).fetchall() == []


def test_a_staging_table_that_is_written_by_others_is_told(house: House, monkeypatch, warehouse_url):
    run = house.deliver("20260105", row("1"))
    work, before = house.work(run), house.state()
    monkeypatch.setattr("warehouse.reprocess.LOCK_WAIT_MS", 50)
    with psycopg.connect(warehouse_url) as other:
        other.execute("UPDATE stg.visits SET note = note")
        with pytest.raises(Exception, match="being written by another session"):
            house.reprocess(run, work=work)
    assert house.state() == before


def test_verify_sees_missing_extra_and_different_rows(house: House):
    house.deliver("20260105", row("1"), row("2"))
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    house.connection.execute("UPDATE stg.visits SET fee = 0 WHERE visit_id = '2'")
    house.connection.execute("INSERT INTO stg.visits (visit_id, load_run_file_id) VALUES ('3', 1)")
    assert verification.verify(house.connection, house.visits) == verification.Verdict(2, 1, 1, 1, 0)


def test_a_worker_that_loses_the_job_while_it_builds_does_not_publish(house: House):
    run, job = house.deliver("20260105", row("1")), uuid4()
    house.write("20260105", row("1", fee="11"))
    before = house.state()

    def overtaken(said: Progress) -> None:
        if said.what == "publish":
            house.connection.execute("UPDATE restage.job_fences SET epoch = 2 WHERE job_id = %s", [job])

    with pytest.raises(LostFenceError):
        reprocess.execute(
            house.connection,
            house.registry,
            house.work(run),
            Writer(job, 1, "operator"),
            reason="overtaken",
            expected=None,
            told=overtaken,
        )
    assert house.state() == before


def test_rows_that_something_else_swallows_stop_the_job(house: House):
    run = house.deliver("20260105", row("1"))
    house.write("20260105", row("1"), row("2"))
    house.connection.execute(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER swallow BEFORE INSERT ON stg.visits FOR EACH ROW EXECUTE FUNCTION swallow()"
    )
    before = house.state()
    with pytest.raises(CountMismatchError, match="were due"):
        house.reprocess(run)
    assert house.state() == before


def owners(house: House) -> dict[str, tuple[int, datetime]]:
    rows = house.connection.execute("SELECT visit_id, load_run_file_id, load_ts FROM stg.visits").fetchall()
    return {visit: (owner, loaded) for visit, owner, loaded in rows}


def replaced(house: House, run) -> Work:
    return Work(files=house.work(run).files, rewrite=True)


@pytest.mark.parametrize("own", [True, False], ids=["by update", "by delete and insert"])
def test_replace_writes_every_row_of_the_files_anew_and_counts_it(house: House, own):
    if not own:  # staging columns of its own forbid the second way
        house.registry = house.registry.with_versions({"Visits": replace(house.visits, staging_only=())})
    run = house.deliver("20260105", row("0"), row("1"), row("2"), row("3"), row("4"))
    house.deliver("20260112", row("3", fee="30"), row("4"))
    house.write("20260105", row("0"), row("1"), row("2"), row("3"))
    house.connection.execute("UPDATE stg.visits SET reviewed_by = 'r' WHERE visit_id = '1'")
    before, work = owners(house), replaced(house, run)
    preview = house.prepare(work)
    assert owners(house) == before
    counts = preview.diffs["visits"].counts
    assert (counts.unchanged, counts.rewritten, counts.kept_newer, counts.written) == (4, 3, 1, 0)
    job, outcome = house.reprocess(run, work=work, expected=preview.diffs)
    (new,) = outcome["files"].values()
    after = owners(house)
    assert {after[visit][0] for visit in "012"} == {new} and after["1"][1] > before["1"][1]
    assert [after[key] for key in "34"] == [before[key] for key in "34"], "what a newer file owns is not touched"
    assert house.connection.execute("SELECT reviewed_by FROM stg.visits WHERE visit_id = '1'").fetchone() == (
        "r" if own else None,
    )
    assert house.violations() == 0
    house.roll_back(job)
    assert owners(house) == before


def test_replace_of_existing_raw_renews_the_load_time(house: House):
    run = house.deliver("20260105", row("1"))
    before = owners(house)
    ids = tuple(a.load_run_file_id for a in attempts.of_runs(house.connection, [run]))
    house.reprocess(run, work=Work(refold=ids, rewrite=True))
    after = owners(house)
    assert (after["1"][0], after["1"][1] > before["1"][1]) == (before["1"][0], True)


def test_incremental_leaves_rows_that_stay_alone(house: House):
    run = house.deliver("20260105", row("1"))
    before = owners(house)
    house.reprocess(run)
    assert owners(house) == before
