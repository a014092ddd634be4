"""The safe casts, on every supported server."""

import pytest

from tests.house import House


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2601051230", "2026-01-05 12:30:00+00"),
        ("2026-01-05T12:30:00+13:00", "2026-01-04 23:30:00+00"),
        ("2613051230", "-infinity"),
        ("9999999999", "-infinity"),
        ("soon", "-infinity"),
        ("", "-infinity"),
    ],
)
def test_extraction_times(house: House, text, instant):
    house.connection.execute("SET timezone = 'UTC'")
    assert house.connection.execute("SELECT restage.extracted_at(%s)::text", [text]).fetchone() == (instant,)


def test_the_casts_run_in_parallel_plans(house: House):
    """A function with an exception handler must not be offered to parallel workers."""
    house.connection.execute("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0")
    house.connection.execute("SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2")
    house.connection.execute(
        "CREATE TABLE restage_build.values AS SELECT n::text AS v FROM generate_series(1, 50000) n"
    )
    house.connection.execute("ANALYZE restage_build.values")
    found = house.connection.execute(
        "SELECT count(restage.to_integer(v)), count(restage.to_numeric(v, '')), count(restage.to_date(v)),"
        " count(restage.to_timestamptz(v, 'UTC')), count(restage.extracted_at(v)) FROM restage_build.values"
    ).fetchone()
    assert found == (50000, 50000, 0, 0, 50000)
