"""What a dry run says is what the run does: the same numbers and the same checksum, whatever the data and the scope."""

from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.house import House, Row, row
from warehouse import attempts
from warehouse.reprocess import Work

CASES = 25  # of each test run; many more where it is asked for (hold)

VISITS = st.sampled_from(["1", "2", "3", "4", "5", "6", " 2 ", ""])
FEES = st.sampled_from(["1", "2", "3.5", "", "x", "99999999999"])
UPDATED = st.sampled_from(["", "2026-01-01 10:00", "2026-01-02 10:00", "2026-02-30 00:00"])
ROWS = st.lists(st.builds(row, VISITS, fee=FEES, updated=UPDATED), max_size=8)
FILES = st.lists(st.tuples(st.integers(0, 3), ROWS, ROWS), min_size=1, max_size=4)


def check(house: House, files: list[tuple[int, list[Row], list[Row]]], chosen: list[bool], raw: bool) -> None:
    """Load files of (day, rows, rows that it holds later), read the chosen ones again: dry, then in earnest."""
    house.empty()
    runs: list[UUID] = []
    for number, (day, first, _later) in enumerate(files):
        runs.append(house.deliver(f"2026010{day + 1}", *first, org=f"o{number}"))
    for number, (day, _first, later) in enumerate(files):
        house.write(f"2026010{day + 1}", *later, org=f"o{number}")
    picked = [run for run, taken in zip(runs, chosen, strict=False) if taken] or runs
    found = attempts.of_runs(house.connection, picked)
    work = (
        Work(refold=tuple(a.load_run_file_id for a in found))
        if raw
        else Work(files={a.load_run_file_id: a.address.content() for a in found})
    )
    before = house.state()
    prepared = house.prepare(work)
    assert house.state() == before, "a dry run writes nothing that counts"
    _job, outcome = house.reprocess(picked[0], work=work)
    assert outcome["tables"] == {table: diff.as_json() for table, diff in prepared.diffs.items()}
    assert house.violations() == 0


def hold(house: House, cases: int) -> None:
    """Raises AssertionError with the smallest case that does not hold."""

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(files=FILES, chosen=st.lists(st.booleans(), max_size=4), raw=st.booleans())
    def holds(files, chosen, raw):
        check(house, files, chosen, raw)

    holds()


def test_a_dry_run_and_the_run_say_the_same(house: House):
    hold(house, CASES)
