"""Archive tables: made by the contract, their months made ahead in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import psycopg
import pytest

from tests.house import House
from warehouse import adoption, archive_tables

NOW = datetime(2027, 11, 30, 23, 0, tzinfo=UTC)


def test_every_extract_has_an_archive_table_and_apply_settles(house: House) -> None:
    names = {extract.table for extract in house.registry.extracts}
    found = house.connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'p' AND relnamespace = 'stg'::regnamespace"
    ).fetchall()
    assert {name for (name,) in found} == {f"{name}_archive" for name in names}
    assert adoption.missing(house.connection, house.registry) == []


def test_it_has_the_columns_of_staging_and_the_marks(house: House) -> None:
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    staging = [name for (name,) in house.connection.execute(columns, ["stg.visits"])]
    archive = [name for (name,) in house.connection.execute(columns, ["stg.visits_archive"])]
    assert archive == [*staging, "archived_at", "archived_load_run_id", "archive_reason", "archive_version"]


def test_months_are_made_three_ahead_over_the_turn_of_the_year(house: House) -> None:
    extract = house.registry.of_table("visits")
    made = archive_tables.make_ahead(house.connection, extract, NOW)
    assert made == [f"stg.visits_archive_{part}" for part in ("default", "2027_11", "2027_12", "2028_01", "2028_02")]
    assert archive_tables.make_ahead(house.connection, extract, NOW) == []
    later = archive_tables.make_ahead(house.connection, extract, NOW + timedelta(hours=2))
    assert later == ["stg.visits_archive_2028_03"]


def test_a_month_is_one_of_utc_whatever_the_zone(house: House) -> None:
    ahead = NOW.astimezone(timezone(timedelta(hours=13)))  # the first of December there
    assert archive_tables.month_of(ahead) == datetime(2027, 11, 1, tzinfo=UTC)


def test_a_month_whose_rows_lie_in_the_default_partition_is_not_made(house: House) -> None:
    extract = house.registry.of_table("visits")
    archive_tables.make_ahead(house.connection, extract, NOW)
    house.connection.execute(
        "INSERT INTO stg.visits_archive (load_run_file_id, load_ts, archived_at, archived_load_run_id, archive_reason)"
        " VALUES (1, now(), '2028-03-05', gen_random_uuid(), 'a test')"
    )
    with pytest.raises(psycopg.errors.CheckViolation):
        archive_tables.make_ahead(house.connection, extract, NOW + timedelta(days=2))
