"""Taking a published job back."""

import pytest

from tests.house import House, new_run, row
from warehouse.rollback import CannotRollBackError


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
