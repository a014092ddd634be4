"""Taking a published job back."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.conftest import CALLS
from tests.house import VISITS, House, new_run, row
from warehouse import (
    attempts,
    before_images,
    discovery,
    image_removal,
    registry,
    rollback,
    rungs,
    undoing,
    verification,
)
from warehouse.journal import Writer
from warehouse.reprocess import ChangedSincePreviewError, Work
from warehouse.rollback import Expected
from warehouse.undoing import CannotRollBackError, Undo


def test_trap_23_rollback_is_identity(house: House):
    run = house.deliver("20260105", row("1"), row("2"), row("3"))
    house.connection.execute("UPDATE stg.visits SET reviewed_by = 'Mere', load_ts = '2026-01-06'")
    stg = "SELECT * FROM stg.visits ORDER BY visit_id"
    before = house.connection.execute(stg).fetchall()
    house.write("20260105", row("1", fee="11"), row("3"), row("4"))
    job, _outcome = house.reprocess(run)
    assert house.connection.execute(stg).fetchall() != before
    outcome = house.roll_back(job)
    assert house.connection.execute(stg).fetchall() == before
    assert outcome["tables"]["visits"]["restored_exactly"] == 2
    assert house.violations() == 0
    states = house.connection.execute("SELECT status, superseded_at IS NULL FROM etl.load_run_files ORDER BY 1")
    assert states.fetchall() == [("completed", True), ("rolled_back", False)]


def test_rows_of_later_files_are_not_touched_by_a_rollback(house: House):
    run = house.deliver("20260105", row("1"), row("2"))
    house.write("20260105", row("1", fee="11"), row("2", fee="11"))
    job, _outcome = house.reprocess(run)
    house.deliver("20260112", row("1", fee="12"))
    outcome = house.roll_back(job)
    assert house.staged() == {"1": ("12.00", None), "2": ("10.00", None)}
    assert outcome["tables"]["visits"]["kept_newer"] == 1
    assert house.violations() == 0


def test_a_rollback_of_a_first_success_empties_what_it_filled(house: House):
    path = house.write("20260105", row("1"))
    good = path.read_text()
    path.write_text("broken\n")
    run = house.load().runs[0].load_run_id
    path.write_text(good)
    job, _outcome = house.reprocess(run)
    house.roll_back(job)
    assert house.staged() == {}
    assert house.violations() == 0


def test_trap_6_a_chain_is_rolled_back_from_its_head(house: House):
    run = house.deliver("20260105", row("1", fee="1"))
    house.write("20260105", row("1", fee="2"))
    first, outcome = house.reprocess(run)
    house.write("20260105", row("1", fee="3"))
    second, _outcome = house.reprocess(new_run(outcome))
    before = house.state()
    with pytest.raises(CannotRollBackError, match="Roll that one back first"):
        house.roll_back(first)
    assert house.state() == before
    house.roll_back(second)
    assert house.staged()["1"][0] == "2.00"
    house.roll_back(first)
    assert house.staged()["1"][0] == "1.00"
    with pytest.raises(CannotRollBackError, match="already"):
        house.roll_back(first)


def chained(house: House):
    """A run that was reprocessed twice; gives the jobs, oldest first."""
    run = house.deliver("20260105", row("1", fee="1"), row("2", fee="1"))
    house.connection.execute("UPDATE stg.visits SET reviewed_by = 'Mere', load_ts = '2026-01-06'")
    house.write("20260105", row("1", fee="2"), row("3"))
    first, outcome = house.reprocess(run)
    house.write("20260105", row("1", fee="1"), row("2", fee="3"))
    second, _outcome = house.reprocess(new_run(outcome))
    return first, second


STAGED = "SELECT * FROM stg.visits ORDER BY visit_id"


def test_a_chain_is_taken_back_in_one_act_and_exactly(house: House):
    house.deliver("20260104", row("9"))
    first, second = chained(house)
    assert undoing.chain(house.connection, first) == [second, first]
    assert undoing.chain(house.connection, second) == [second]
    outcome = house.roll_back(second, first)
    rows = house.connection.execute("SELECT visit_id, fee::text, reviewed_by, load_ts::date::text FROM stg.visits")
    assert sorted(rows.fetchall())[:2] == [("1", "1.00", "Mere", "2026-01-06"), ("2", "1.00", "Mere", "2026-01-06")]
    assert outcome["rolled_back_jobs"] == [str(second), str(first)] and outcome["left"] == {}
    assert house.violations() == 0
    owners = house.connection.execute(
        "SELECT DISTINCT f.status, f.superseded_at FROM stg.visits JOIN etl.load_run_files f USING (load_run_file_id)"
    )
    assert owners.fetchall() == [("completed", None)], "no row names an attempt that was rolled back"
    assert undoing.chain(house.connection, first) == [first], "what is rolled back stands in nobody's way"


def test_a_chain_in_the_wrong_order_is_refused(house: House):
    first, second = chained(house)
    before = house.state()
    with pytest.raises(CannotRollBackError, match="both together"):
        house.roll_back(first, second)
    assert house.state() == before


def test_a_row_that_two_jobs_changed_and_changed_back_has_its_own_load_time_again(house: House):
    house.deliver("20260104", row("1", fee="7"), org="b")
    run = house.deliver("20260105")
    before = house.connection.execute(STAGED).fetchall()
    house.write("20260105", row("1", fee="8"))
    first, outcome = house.reprocess(run)
    house.write("20260105")
    second, _outcome = house.reprocess(new_run(outcome))
    assert house.connection.execute(STAGED).fetchall() != before, "the row was made twice since"
    house.roll_back(second, first)
    assert house.connection.execute(STAGED).fetchall() == before


def two_tables(house: House):
    house.write("20260105", row("1"))
    calls = house.folder / "a_calls_20260105.csv"
    calls.write_text("call_id,seen_on,fee,note,updated_at\n7,,1,,\n")
    (loaded,) = house.load().runs
    house.write("20260105", row("1", fee="11"))
    calls.write_text("call_id,seen_on,fee,note,updated_at\n7,,2,,\n")
    return house.reprocess(loaded.load_run_id)


def test_one_table_of_a_job_is_taken_back_and_the_rest_later(house: House):
    job, made = two_tables(house)
    outcome = house.roll_back(job, tables=("visits",))
    assert (list(outcome["tables"]), outcome["left"], outcome["taken_back"]) == (["visits"], {str(job): 1}, [])
    assert house.staged()["1"][0] == "10.00"
    calls = "SELECT fee::integer FROM stg.calls"
    assert house.connection.execute(calls).fetchall() == [(2,)]
    status = "SELECT status FROM etl.load_runs WHERE load_run_id = %s"
    assert house.connection.execute(status, [new_run(made)]).fetchone() == ("completed",)
    with pytest.raises(CannotRollBackError, match="chosen tables"):
        house.roll_back(job, tables=("visits",))
    outcome = house.roll_back(job)
    assert (list(outcome["tables"]), outcome["left"]) == (["calls"], {})
    assert house.connection.execute(calls).fetchall() == [(1,)]
    assert house.connection.execute(status, [new_run(made)]).fetchone() == ("rolled_back",)
    states = house.connection.execute(
        "SELECT DISTINCT status FROM etl.staging_runs WHERE load_run_id = %s", [new_run(made)]
    )
    assert states.fetchall() == [("rolled_back",)]
    assert verification.verify(house.connection, house.registry["Calls"]).violations == house.violations() == 0


def test_what_a_later_file_wrote_again_keeps_its_owner(house: House):
    run = house.deliver("20260105", row("1", fee="1"))
    house.write("20260105", row("1", fee="2"))
    job, _outcome = house.reprocess(run)
    house.deliver("20260112", row("1", fee="1"))
    before = house.connection.execute(STAGED).fetchall()
    assert house.roll_back(job)["tables"]["visits"]["restored_exactly"] == 0
    assert house.connection.execute(STAGED).fetchall() == before


def test_a_job_that_folded_raw_again_says_what_is_possible(house: House):
    run = house.deliver("20260105", row("1"))
    house.connection.execute("UPDATE stg.visits SET fee = 7")
    file = attempts.of_runs(house.connection, [run])[0].load_run_file_id
    job, _outcome = house.reprocess(run, work=Work(refold=(file,)))
    with pytest.raises(CannotRollBackError, match="put the former declaration"):
        house.roll_back(job)
    ladder = rungs.of_job(house.connection, house.registry, job)
    assert (ladder.possible, [rung.holds for rung in ladder.rungs]) == (False, [False, False, False])
    assert "1 rows are kept, to be read only" in ladder.rungs[0].told


def preview(house: House, *jobs, **more):
    return rollback.preview(house.connection, house.registry, Undo(jobs, **more), Writer(uuid4(), 1, "operator"))


def test_the_preview_names_what_was_built_on_top(house: House):
    run = house.deliver("20260105", row("1"), row("2"), row("3"))
    house.write("20260105", row("1", fee="11"), row("2", fee="11"), row("4"))
    job, _outcome = house.reprocess(run)
    assert preview(house, job).on_top["visits"]["changed_since"] == 0
    other = house.deliver("20260104", row("3", fee="33"), org="b")
    later = house.deliver("20260112", row("1", fee="12"), org="c")
    house.write("20260112", row("1", fee="13"), org="c")
    third, _outcome = house.reprocess(later)
    before = house.state()
    found = preview(house, job)
    assert house.state() == before
    told = found.on_top["visits"]
    assert (told["changed_since"], told["stay"]) == (2, 1), "1 stays with the newer file, 3 goes back"
    assert {(entry["job"], entry["load_run"], entry["keys"]) for entry in told["later"]} == {
        (str(third), None, 1),
        (None, str(other), 1),
    }
    assert house.roll_back(job, expected=Expected(found.diffs, found.exact))["tables"]["visits"]["kept_newer"] == 1
    house.roll_back(third)
    assert house.violations() == 0


def test_a_later_job_that_was_taken_back_is_not_on_top(house: House):
    run = house.deliver("20260105", row("1"))
    house.write("20260105", row("1", fee="11"), row("2"))
    job, _outcome = house.reprocess(run)
    other = house.deliver("20260101", row("5"), org="b")
    house.write("20260101", row("2", fee="99"), row("5", fee="6"), org="b")
    again, _outcome = house.reprocess(other)
    house.roll_back(again)
    assert preview(house, job).on_top["visits"]["changed_since"] == 0


def test_rows_of_a_dependent_table_that_refer_to_removed_keys_are_counted(house: House, extracts_folder, tmp_path):
    folder = tmp_path / "more"
    folder.mkdir()
    text = CALLS.replace("depends_on = []", 'depends_on = ["Visits"]').replace('note = "text"', 'visit_id = "text"')
    (folder / "visits.toml").write_text(VISITS)
    (folder / "calls.toml").write_text(text)
    house.connection.execute("ALTER TABLE stg.calls ADD visit_id text")
    known = registry.load([registry.SHIPPED, folder])
    run = house.deliver("20260105", row("1"))
    house.write("20260105", row("1"), row("2"))
    job, _outcome = house.reprocess(run)
    house.connection.execute(
        "INSERT INTO stg.calls (call_id, visit_id, load_run_file_id) VALUES ('a', '2', 1), ('b', '1', 1)"
    )
    found = rollback.preview(house.connection, known, Undo((job,)), Writer(uuid4(), 1, "operator"))
    assert found.on_top["visits"]["dependants"] == [{"table": "calls", "rows": 1}]


def test_a_before_image_tells_its_size_and_expiry_and_is_purged_when_nobody_needs_it(house: House):
    run = house.deliver("20260105", row("1"), row("2"))
    house.write("20260105", row("1", fee="11"), row("3"))
    job, _outcome = house.reprocess(run)
    (kept,) = before_images.everything(house.connection)
    assert (kept.job_id, kept.table_name, kept.rows) == (job, "visits", 3)
    assert kept.bytes > 100 and kept.expires_at - kept.kept_at == before_images.KEPT_FOR
    late = kept.expires_at + timedelta(seconds=1)
    assert image_removal.purge(house.connection, house.registry, now=kept.expires_at) == [], "until then it is kept"
    assert image_removal.purge(house.connection, house.registry, now=late, needed={job}) == []
    found = preview(house, job)
    assert found.exact == {"visits": True}
    (gone,) = image_removal.purge(house.connection, house.registry, now=late)
    assert (gone.image, gone.why) == (kept, image_removal.EXPIRED)
    assert house.connection.execute("SELECT count(*) FROM restage.before_images").fetchone() == (0,)
    (listed,) = before_images.of_jobs(house.connection, [job])
    assert listed.purged_at == late
    effect = house.connection.execute("SELECT action, detail ->> 'rows' FROM restage.effects ORDER BY 1 LIMIT 1")
    assert effect.fetchone() == ("purge before-image", "3")
    ladder = rungs.of_job(house.connection, house.registry, job)
    assert [(rung.name, rung.holds) for rung in ladder.rungs][::2] == [
        ("before-image", False),
        ("superseded raw", True),
    ]
    before = house.state()
    with pytest.raises(ChangedSincePreviewError, match="before-image"):
        house.roll_back(job, expected=Expected(found.diffs, found.exact))
    assert house.state() == before
    house.roll_back(job)
    assert house.staged() == {"1": ("10.00", None), "2": ("10.00", None)}
    assert house.violations() == 0


def test_a_spoilt_before_image_is_not_taken_for_a_whole_one(house: House):
    run = house.deliver("20260105", row("1"))
    house.write("20260105", row("1", fee="11"))
    job, _outcome = house.reprocess(run)
    house.connection.execute("UPDATE restage.before_images SET image = jsonb_set(image, '{fee}', '9')")
    assert preview(house, job).exact == {"visits": False}


def test_without_its_raw_records_an_attempt_does_not_come_back(house: House):
    run = house.deliver("20260105", row("1"))
    house.write("20260105", row("1", fee="11"))
    job, _outcome = house.reprocess(run)
    house.connection.execute("DELETE FROM raw.visits WHERE load_run_file_id = 1")
    before = house.state()
    with pytest.raises(CannotRollBackError, match="raw records of file 1"):
        house.roll_back(job)
    assert house.state() == before


def test_trap_33_what_was_rolled_back_is_not_discovered_again(house: House):
    path = house.write("20260105", row("1"))
    good = path.read_text()
    path.write_text("broken\n")
    run = house.load().runs[0].load_run_id
    path.write_text(good)
    wanted = discovery.Filter()
    assert discovery.find(house.connection, house.registry, wanted).taken == 1
    job, _outcome = house.reprocess(run)
    house.roll_back(job)
    found = discovery.find(house.connection, house.registry, wanted)
    assert (found.taken, found.left_out) == (0, {"rolled back": 1})
    house.reprocess(run)  # by name it can be done once more
    assert discovery.find(house.connection, house.registry, wanted).files == 0
    assert house.staged() == {"1": ("10.00", None)}


def test_a_row_that_stays_is_owned_by_the_attempt_that_still_counts(house: House):
    run = house.deliver("20260105")
    house.write("20260105", row("1", fee="4"))
    job, _outcome = house.reprocess(run)
    house.deliver("20260101", row("1", fee="4"), org="b")
    owner = "SELECT f.s3_key, f.status FROM stg.visits JOIN etl.load_run_files f USING (load_run_file_id)"
    assert house.connection.execute(owner).fetchone() == ("a_visits_20260105.csv", "completed")
    assert house.roll_back(job)["tables"]["visits"]["unchanged"] == 1
    assert house.connection.execute(owner).fetchone() == ("b_visits_20260101.csv", "completed")


def test_what_came_before_a_job_is_not_on_top_of_it(house: House):
    other = house.deliver("20260101", org="b")
    run = house.deliver("20260105", row("1"))
    house.write("20260101", row("5"), org="b")
    house.reprocess(other)
    house.write("20260105", row("1", fee="11"), row("5", fee="11"))
    job, _outcome = house.reprocess(run)
    assert preview(house, job).on_top["visits"]["changed_since"] == 0
