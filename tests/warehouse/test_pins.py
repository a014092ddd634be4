"""A pinned row stays against the fold until a later record wins its key; then the pin is gone."""

from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from tests.house import House, row
from warehouse import unpinning, verification
from warehouse.journal import Writer
from warehouse.unpinning import NothingPinnedError
from warehouse.verification import Verdict

RESTORE = uuid4()


def pin(house, visit, fee, as_of):
    """Have staging hold a row of that fee, by hand as a restore does it."""
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = %s", [visit])
    (row_hash,) = house.connection.execute(
        "INSERT INTO stg.visits (visit_id, fee, load_run_file_id) VALUES (%s, %s, 1) RETURNING row_hash", [visit, fee]
    ).fetchone()
    house.connection.execute(
        "INSERT INTO restage.pins (table_name, key, load_run_file_id, row_hash, as_of, set_id, job_id)"
        " VALUES ('visits', %s, 1, %s, %s, %s, %s)",
        [Jsonb({"visit_id": visit}), row_hash, as_of, uuid4(), RESTORE],
    )


def pinned(house):
    (found,) = house.connection.execute("SELECT count(*) FROM restage.pins").fetchone()
    return found


def fees(house: House) -> dict[str, str | None]:
    return {visit: fee for visit, (fee, _note) in house.staged().items()}


@pytest.fixture
def run(house: House):
    """Visits 1 and 2 of 5 January; 1 is pinned at another fee as of that day, and so is 9, which raw does not know."""
    made = house.deliver("20260105", row("1"), row("2"))
    pin(house, "1", "77", "2026-01-05")
    pin(house, "9", "99", "2026-01-05")
    return made


def test_verify_counts_pins_and_no_violation(house: House, run):
    assert verification.verify(house.connection, house.visits) == Verdict(3, 0, 0, 0, 0, pins=2)


@pytest.mark.parametrize("act", ["UPDATE stg.visits SET fee = 1", "DELETE FROM stg.visits"])
def test_a_pinned_row_that_is_not_the_pinned_one_is_a_violation(house: House, run, act):
    house.connection.execute(f"{act} WHERE visit_id = '9'".encode())
    assert house.violations() == 1


def test_a_reprocessing_of_the_same_day_leaves_it(house: House, run):
    house.write("20260105", row("1", fee="11"), row("2", fee="12"))
    preview = house.prepare(house.work(run))
    house.reprocess(run, expected=preview.diffs)
    assert fees(house) == {"1": "77.00", "2": "12.00", "9": "99.00"}
    assert preview.diffs["visits"].counts.kept_newer == 1
    assert (pinned(house), house.violations()) == (2, 0)


@pytest.mark.parametrize("fee", ["5", "77"])
def test_a_later_record_wins_and_the_pin_goes(house: House, run, fee):
    house.deliver("20260106", row("1", fee=fee))
    assert fees(house)["1"] == f"{fee}.00"
    assert (pinned(house), house.violations()) == (1, 0)


def test_an_earlier_or_refused_record_does_not(house: House, run):
    house.deliver("20260104", row("9", fee="3"))
    house.deliver("20260106", row("9", fee="x"), org="b")
    assert fees(house)["9"] == "99.00"
    assert (pinned(house), house.violations()) == (2, 0)


def test_a_pin_that_came_after_the_build_counts(house: House):
    run = house.deliver("20260105", row("1"), row("2"))
    house.write("20260105", row("1", fee="11"), row("2", fee="12"))
    job = uuid4()
    from_now = house.prepare(house.work(run)).diffs
    pin(house, "1", "77", "2026-01-05")
    with pytest.raises(Exception, match="changed since the preview"):
        house.reprocess(run, job=job, expected=from_now)
    house.reprocess(run, job=job)
    assert fees(house) == {"1": "77.00", "2": "12.00"}


def test_a_spoilt_pinned_row_does_not_stop_a_job(house: House, run):
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '9'")
    house.deliver("20260104", row("9", fee="3"), row("4"))
    assert fees(house) == {"1": "77.00", "2": "10.00", "4": "10.00"}
    assert house.violations() == 1


def test_raw_decides_again_once_a_restore_is_unpinned(house: House, run):
    before = house.state()
    seen = unpinning.preview(house.connection, house.registry, RESTORE, Writer(uuid4(), 1, "operator"))
    assert house.state() == before
    assert seen.pins == {"visits": 2}
    writer = Writer(uuid4(), 1, "operator")
    outcome = unpinning.execute(house.connection, house.registry, RESTORE, writer, expected=seen.diffs)
    assert outcome["tables"]["visits"] == {**seen.diffs["visits"].as_json(), "pins": 2}
    assert fees(house) == {"1": "10.00", "2": "10.00"}
    assert (pinned(house), house.violations()) == (0, 0)
    assert unpinning.execute(house.connection, house.registry, RESTORE, writer, expected=seen.diffs) == outcome
    with pytest.raises(NothingPinnedError):
        unpinning.preview(house.connection, house.registry, RESTORE, Writer(uuid4(), 1, "operator"))
