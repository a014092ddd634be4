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
        "SELECT count(restage.to_integer(v, restage.try_integer(v))),"
        " count(restage.to_numeric(v, restage.try_numeric(v, ''))), count(restage.to_date(v, restage.try_date(v))),"
        " count(restage.to_timestamptz(v, restage.try_timestamp(v), 'UTC')), count(restage.extracted_at(v))"
        " FROM restage_build.values"
    ).fetchone()
    assert found == (50000, 50000, 0, 0, 50000)


DATES = {
    "2026-01-05": "2026-01-05",
    "2024-02-29": "2024-02-29",
    "2023-02-29": None,
    "2026-13-01": None,
    "2026-04-31": None,
    "0000-01-01": None,
    "0001-01-01": "0001-01-01",
    "9999-12-31": "9999-12-31",
    "2026-01-05 23:30": "2026-01-05",
    "2026-01-05T23:30:00.5": "2026-01-05",
    "2026-1-5": None,
    "+026-01-05": None,
    "20-6-01-05": None,
    "2026-ab-05": None,
    "jan1-20-20": None,
    "J245-12-12": None,
    "2026 01 05": None,
    "today": None,
    "infinity": None,
    "": None,
}
TIMES = {
    "2026-01-05 08:15:27": "2026-01-05 08:15:27",
    "2026-01-05 08:15:27.083": "2026-01-05 08:15:27.083",
    "2026-01-05 08:15:27.080": "2026-01-05 08:15:27.08",
    "2026-01-05T08:15:27": "2026-01-05 08:15:27",
    "2026-01-05 08:15": "2026-01-05 08:15:00",
    "2026-01-05": "2026-01-05 00:00:00",
    "2026-01-05 24:00:00": "2026-01-06 00:00:00",
    "2026-01-05 24:00:01": None,
    "2026-01-05 23:59:60": "2026-01-06 00:00:00",
    "2026-01-05 23:59:61": None,
    "2026-01-05 25:15:27": None,
    "2026-01-05 08:75:27": None,
    "2026-02-30 08:15:27": None,
    "2026-01-05 08:15:27 BC": None,
    "2026-01-05 08:15:27pm": None,
    "2026-01-05 08:15:27.": None,
    "2026-01-05 allballs": None,
    "now": None,
}
ZONED = {
    "2026-01-05 08:15:27+13:00": "2026-01-04 19:15:27",
    "2026-01-05T08:15Z": "2026-01-05 08:15:00",
    "2026-01-05 08:15:27.5 -0330": "2026-01-05 11:45:27.5",
    "2026-01-05 08:15+13": "2026-01-04 19:15:00",
    "2026-01-05 08:15+16": None,
    "2026-01-05 08:15+13:60": None,
    "2026-02-30 08:15Z": None,
    "2026-01-05 08:61Z": None,
    "2026-01-05 08:15 Pacific/Auckland": None,
}
NUMBERS = {
    "0": "0",
    "-7": "-7",
    "+7": "7",
    "007": "7",
    "2147483647": "2147483647",
    "2147483648": None,
    "-2147483648": "-2147483648",
    "12a": None,
    "0x1F": None,
    "1_000": None,
    "1.0": None,
    "-": None,
    "": None,
    " 7": None,
}
LARGE = {"9223372036854775807": "9223372036854775807", "9223372036854775808": None, "-1": "-1", "0b1": None}
AMOUNTS = {
    "12.50": "12.50",
    "12": "12.00",
    ".5": "0.50",
    "5.": "5.00",
    ".": None,
    "-0.005": "-0.01",
    "+1.2": "1.20",
    "99999999.99": "99999999.99",
    "100000000": None,
    "1.2.3": None,
    "1e3": None,
    "NaN": None,
    "Infinity": None,
    "-Infinity": None,
    "-.5e0": None,
    "0x1F": None,
    "1_000": None,
    "007.10": "7.10",
    "12.5049": "12.50",
    "": None,
}


@pytest.mark.parametrize(
    ("cast", "values"),
    [
        ("restage.to_date(v, restage.try_date(v))", DATES),
        ("restage.to_timestamp(v, restage.try_timestamp(v))", TIMES),
        ("restage.to_timestamptz(v, restage.try_timestamp(v), 'UTC') AT TIME ZONE 'UTC'", TIMES),
        ("restage.to_timestamptz(v, restage.try_timestamp(v), 'UTC') AT TIME ZONE 'UTC'", ZONED),
        ("restage.to_integer(v, restage.try_integer(v))", NUMBERS),
        ("restage.to_bigint(v, restage.try_bigint(v))", LARGE),
        ("restage.to_numeric(v, restage.try_numeric(v, '(10,2)'))::numeric(10,2)", AMOUNTS),
    ],
)
@pytest.mark.parametrize("style", ["ISO", "German", "SQL, MDY"])
def test_the_casts_take_what_has_the_shape_and_is_a_value(house: House, cast, values, style):
    """Whatever a session's DateStyle: of the quick way, which compares texts, only the speed depends on it."""
    connection = house.connection
    connection.execute("CREATE TABLE restage_build.texts (v text)")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO restage_build.texts VALUES (%s)", [[text] for text in values])
    connection.execute(f"SET DateStyle = '{style}'")
    connection.execute(f"CREATE TABLE restage_build.made AS SELECT v, {cast} AS made FROM restage_build.texts")
    connection.execute("SET DateStyle = 'ISO'")
    assert dict(connection.execute("SELECT v, made::text FROM restage_build.made").fetchall()) == values
