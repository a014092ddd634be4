"""How a build is compared with staging: never at more cost than the smaller of the two asks for."""

import pytest

from tests.house import House, row

ROWS = 20_000


def read_whole(house: House) -> int:
    """Rows of staging that were read one after the other since it was made."""
    house.connection.execute("SELECT pg_stat_force_next_flush()")
    house.connection.execute("SELECT 1")
    (found,) = house.connection.execute(
        "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'stg.visits'::regclass"
    ).fetchone() or (0,)
    return int(found)


@pytest.mark.parametrize("changed", [0, 1, 10])
def test_a_few_keys_are_looked_up_however_many_rows_staging_has(house: House, changed: int):
    house.deliver("20260105", *(row(str(number), fee="1") for number in range(ROWS)))
    run = house.deliver("20260106", *(row(str(number), fee="2") for number in range(10)), org="b")
    house.connection.execute("ANALYZE stg.visits")
    house.write("20260106", *(row(str(n), fee="3" if n < changed else "2") for n in range(10)), org="b")
    before = read_whole(house)
    counts = house.prepare(house.work(run)).diffs["visits"].counts
    assert (counts.updated, counts.unchanged, counts.inserted, counts.deleted) == (changed, 10 - changed, 0, 0)
    assert read_whole(house) == before


def test_many_keys_are_compared_by_reading_staging_once(house: House):
    run = house.deliver("20260105", *(row(str(number), fee="1") for number in range(ROWS)))
    house.connection.execute("ANALYZE stg.visits")
    before = read_whole(house)
    counts = house.prepare(house.work(run)).diffs["visits"].counts
    assert (counts.updated, counts.unchanged) == (0, ROWS)
    assert read_whole(house) <= before + 2 * ROWS
