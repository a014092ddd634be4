"""The sample goes into an empty warehouse, whole, once."""

from datetime import date

import pytest

from tests.house import House, row
from tests.lines import every_row_lies_where_its_lineage_says
from warehouse import verification
from warehouse.sample import loading
from warehouse.sample.loading import ForeignRunsError

TODAY = date(2026, 11, 24)


def load(house: House, told=lambda line: None) -> int:
    return loading.load(house.connection, house.registry, house.folder / "sample", rows=2_000, today=TODAY, told=told)


class BrokenOffError(Exception):
    pass


def test_a_sample_that_was_broken_off_is_loaded_anew(house: House):
    def break_off(line: str) -> None:
        raise BrokenOffError

    with pytest.raises(BrokenOffError):
        load(house, break_off)
    runs = load(house)
    assert house.connection.execute("SELECT count(*) FROM etl.load_runs").fetchone() == (runs,)
    assert load(house) == 0
    states: dict[str, int] = dict(
        house.connection.execute("SELECT status, count(*) FROM etl.load_runs GROUP BY 1").fetchall()
    )
    assert {"completed", "failed", "running", "cancelled", "rolled_back"} <= set(states)
    extracts = house.connection.execute("SELECT count(DISTINCT extract_type) FROM etl.load_run_files").fetchone()
    assert runs >= 12
    assert extracts and extracts[0] >= 7
    for extract in house.registry.extracts:
        verdict = verification.verify(house.connection, extract)
        assert verdict.violations == 0
        assert every_row_lies_where_its_lineage_says(house.connection, extract) == verdict.keys


def test_invented_people_are_never_mixed_with_others(house: House):
    house.deliver("20260105", row("1"))
    before = house.state()
    with pytest.raises(ForeignRunsError):
        load(house)
    assert house.state() == before
