"""A staging table in partitions: a row's place is its partition and its ctid, which every partition counts anew."""

import pytest

from tests.house import House, row
from warehouse import adoption

PARTS = 4


@pytest.fixture
def partitioned(house: House, extracts) -> House:
    """The same columns, in partitions by the hash of the natural key."""
    with house.connection.transaction():
        house.connection.execute("ALTER TABLE stg.visits RENAME TO former")
        house.connection.execute(
            "CREATE TABLE stg.visits (LIKE stg.former INCLUDING DEFAULTS) PARTITION BY HASH (visit_id)"
        )
        house.connection.execute("DROP TABLE stg.former")
        house.connection.execute("CREATE UNIQUE INDEX ON stg.visits (visit_id)")
        for part in range(PARTS):
            house.connection.execute(
                f"CREATE TABLE stg.visits_{part} PARTITION OF stg.visits"
                f" FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})".encode()
            )
    adoption.apply(house.connection, extracts)
    assert adoption.missing(house.connection, extracts) == []
    return house


@pytest.mark.parametrize("changed", [1, 3, 40])
def test_only_the_rows_that_change_are_written(partitioned: House, changed):
    house = partitioned
    rows = [row(str(number), fee="1") for number in range(40)]
    run = house.deliver("20260105", *rows)
    assert len(house.staged()) == 40
    house.write("20260105", *(row(str(number), fee="2") for number in range(changed)), *rows[changed + 1 :])
    gone = 1 if changed < 40 else 0
    job, outcome = house.reprocess(run)
    counts = outcome["tables"]["visits"]
    assert (counts["updated"], counts["deleted"]) == (changed, gone)
    assert {visit: fee for visit, (fee, _note) in house.staged().items()} == {
        str(number): "2.00" if number < changed else "1.00" for number in range(40) if not gone or number != changed
    }
    assert house.violations() == 0
    house.roll_back(job)
    assert {fee for fee, _note in house.staged().values()} == {"1.00"}
    assert len(house.staged()) == 40
    assert house.violations() == 0


def test_rows_without_a_kept_hash_are_compared_too(partitioned: House):
    house = partitioned
    rows = [row(str(number), fee="1") for number in range(40)]
    run = house.deliver("20260105", *rows)
    with house.connection.transaction():
        house.connection.execute("SET LOCAL restage.hashed = 'on'")
        house.connection.execute("UPDATE stg.visits SET row_hash = NULL")
    house.write("20260105", *(row(str(number), fee="2") for number in range(5)), *rows[5:])
    _job, outcome = house.reprocess(run)
    assert outcome["tables"]["visits"]["updated"] == 5
    assert house.violations() == 0


@pytest.mark.parametrize("changed", [3, 40])
def test_a_load_writes_only_the_rows_that_change(partitioned: House, changed):
    house = partitioned
    house.deliver("20260105", *(row(str(number), fee=str(number)) for number in range(40)))
    house.deliver("20260106", *(row(str(number), fee=str(number + 100)) for number in range(changed)))
    assert {visit: fee for visit, (fee, _note) in house.staged().items()} == {
        str(number): f"{number + 100 if number < changed else number}.00" for number in range(40)
    }
    assert house.violations() == 0
