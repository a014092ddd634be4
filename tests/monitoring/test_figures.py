"""The figures equal what lies in etl, after any sequence of changes and however refreshes fall among them."""

import random
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql

from tests.house import House
from tests.monitoring import loads
from tests.monitoring.loads import Told
from warehouse import discovery, figures, figures_reading
from warehouse.discovery import Filter
from warehouse.figures_reading import Scope
from warehouse.figures_schema import FIGURES

ZONE = "Pacific/Auckland"
START = datetime(2026, 4, 1, tzinfo=ZoneInfo(ZONE))  # clocks go back on the 5th
STOP = datetime(2026, 4, 11, tzinfo=ZoneInfo(ZONE))
FILTERS = [("", ""), ("Visits", ""), ("", "p2"), ("Calls", "p1")]


def agree(connection: psycopg.Connection, zone: str = ZONE) -> None:
    """Every figure of several scopes against the rows."""
    told = Told(connection, zone)
    tz = ZoneInfo(zone)
    spans = [(START, STOP), (datetime(2026, 4, 5, tzinfo=tz), datetime(2026, 4, 6, tzinfo=tz))]
    for start, stop in [
        (a.astimezone(tz).replace(hour=0, minute=0), b.astimezone(tz).replace(hour=0, minute=0)) for a, b in spans
    ]:
        for extract, practice in FILTERS:
            scope = Scope(start, stop, extract, practice)
            expected = told.totals(start, stop, extract, practice)
            found = vars(figures_reading.totals(connection, scope))
            assert found == pytest.approx(expected), scope
            assert figures_reading.runs_by_state(connection, scope) == told.states(start, stop, extract, practice)
            days = {
                b.bucket: (b.completed, b.failed) for b in figures_reading.series(connection, scope, "day") if b.files
            }
            assert days == {
                day: (n["completed"], n["failed"])
                for day, n in told.days(start, stop, extract=extract, practice=practice).items()
            }
            hours = figures_reading.series(connection, scope, "hour")
            assert practice or sum(b.files for b in hours) == expected["files"]
        for by in ("extract", "practice"):
            for part in figures_reading.parts(connection, Scope(start, stop), by):
                expected = told.totals(start, stop, **{by: part.name})
                assert {name: vars(part)[name] for name in expected} == pytest.approx(expected)
                assert part.last_success == told.last_success(**{by: part.name})
        _whole, gone = figures_reading.superseded(connection, Scope(start, stop))
        assert (sum(s.files for s in gone), sum(s.rows for s in gone)) == told.superseded(start, stop)


def change(connection: psycopg.Connection, chance: random.Random) -> None:
    """Something that happens to load runs, now or long after they were made."""
    at = START + timedelta(minutes=chance.randrange(10 * 24 * 60))
    runs = [r for (r,) in connection.execute("SELECT load_run_id FROM etl.load_runs ORDER BY created_at").fetchall()]
    files = [f for (f,) in connection.execute("SELECT load_run_file_id FROM etl.load_run_files ORDER BY 1").fetchall()]
    extract, practice = chance.choice(["Visits", "Calls"]), chance.choice(["p1", "p2"])
    status = chance.choice(["completed", "failed", "pending", "processing", "rolled_back"])
    match chance.randrange(9) if files else 0:
        case 0 | 1:
            made = loads.run(connection, at, chance.choice(["completed", "failed", "running"]))
            for _ in range(chance.randrange(4)):
                given = {"extract": chance.choice(["Visits", "Calls"]), "practice": practice, "status": status}
                loads.file(connection, made, at + timedelta(minutes=5), **given)
            loads.staging(connection, made, extract, chance.randrange(20))
        case 2:
            loads.file(connection, chance.choice(runs), at, extract=extract, practice=practice, error="It broke: 17")
        case 3:
            connection.execute(
                "UPDATE etl.load_run_files SET status = %s, rows_read = %s WHERE load_run_file_id = ANY(%s)",
                [status, chance.randrange(500), chance.sample(files, min(3, len(files)))],
            )
        case 4:
            loads.supersede(connection, chance.choice(files), at + timedelta(days=chance.randrange(3)))
        case 5:
            connection.execute(
                "UPDATE etl.load_run_files SET superseded_at = NULL WHERE load_run_file_id = %s", [chance.choice(files)]
            )
        case 6:
            connection.execute(
                "UPDATE etl.load_runs SET status = %s WHERE load_run_id = %s",
                [chance.choice(["completed", "failed", "rolled_back"]), chance.choice(runs)],
            )
        case 7:
            connection.execute(
                "UPDATE etl.load_runs SET created_at = created_at + interval '30 h' WHERE load_run_id = %s",
                [chance.choice(runs)],
            )
        case 8:
            connection.execute("DELETE FROM etl.load_run_files WHERE load_run_file_id = %s", [chance.choice(files)])
            connection.execute("UPDATE etl.staging_runs SET status = 'failed' WHERE load_run_id = %s", [runs[0]])


def test_they_equal_etl_after_any_sequence_of_changes(house: House):
    for seed in range(4):
        chance = random.Random(seed)
        house.connection.execute("TRUNCATE etl.load_runs CASCADE")
        for _ in range(25):
            change(house.connection, chance)
            if chance.random() < 0.3:
                assert figures.refresh(house.connection, zone=ZONE)
        figures.refresh(house.connection, zone=ZONE)
        agree(house.connection)
        assert figures.check(house.connection, zone=ZONE) == []
    figures.refresh(house.connection, zone="Asia/Kathmandu")  # days and hours that begin at a quarter to
    agree(house.connection, "Asia/Kathmandu")


@pytest.mark.parametrize("zone", ["Atlantic/Azores", "America/Havana", "Pacific/Auckland", "Australia/Lord_Howe"])
def test_a_refresh_makes_what_a_rebuild_makes(house: House, zone: str):
    """Also where clocks go back over midnight, and a day begins twice."""
    chance = random.Random(zone)
    turns = {
        "Atlantic/Azores": datetime(2026, 10, 25, tzinfo=UTC),
        "America/Havana": datetime(2026, 11, 1, 4, tzinfo=UTC),
    }
    turn = turns.get(zone, datetime(2026, 4, 4, 14, tzinfo=UTC))
    figures.refresh(house.connection, zone=zone)
    for _ in range(30):
        at = turn + timedelta(hours=chance.choice([0, 0, -30, 30]), minutes=chance.randrange(-180, 180))
        status = chance.choice(["completed", "failed"])
        made = loads.file(house.connection, loads.run(house.connection, at), at, status=status, extract="Visits")
        if chance.random() < 0.4:
            loads.supersede(house.connection, made, at + timedelta(hours=1))
        figures.refresh(house.connection, zone=zone)
    kept = cells(house.connection)
    house.connection.execute("INSERT INTO restage.figures_stale VALUES (NULL, 'runs')")
    figures.refresh(house.connection, zone=zone)
    assert kept == cells(house.connection)


def cells(connection: psycopg.Connection) -> dict[str, list[Any]]:
    """Every row of every table of figures."""
    return {
        name: sorted(
            connection.execute(sql.SQL("TABLE {}").format(sql.Identifier("restage", f"figures_{name}"))).fetchall(),
            key=repr,
        )
        for name in FIGURES
    }


def test_a_change_that_commits_during_a_refresh_is_taken_up_by_the_next(house: House, warehouse_url: str):
    with psycopg.connect(warehouse_url) as late:
        made = loads.run(late, START + timedelta(hours=1))
        loads.file(late, made, START + timedelta(hours=1))
        figures.refresh(house.connection, zone=ZONE)
        assert figures_reading.totals(house.connection, Scope(START, STOP)).files == 0
        late.commit()
    figures.refresh(house.connection, zone=ZONE)
    assert figures_reading.totals(house.connection, Scope(START, STOP)).files == 1


def test_two_at_once_do_no_harm_and_a_death_leaves_the_marks(house: House, warehouse_url: str):
    loads.run(house.connection, START)
    with psycopg.connect(warehouse_url, autocommit=True) as other, other.transaction(force_rollback=True):
        assert figures.refresh(other, zone=ZONE)
        assert not figures.refresh(house.connection, zone=ZONE)
    assert figures.state(house.connection) is None
    assert figures.refresh(house.connection, zone=ZONE)
    assert figures_reading.runs_by_state(house.connection, Scope(START, STOP)) == {"completed": 1}


def test_what_worked_past_the_triggers_is_found_by_the_comparison(house: House):
    figures.refresh(house.connection, zone=ZONE)
    with house.connection.transaction():
        house.connection.execute("SET LOCAL session_replication_role = replica")
        made = loads.run(house.connection, START + timedelta(hours=30))
        loads.supersede(house.connection, loads.file(house.connection, made, START), START + timedelta(days=4))
    figures.refresh(house.connection, zone=ZONE)
    assert figures_reading.totals(house.connection, Scope(START, STOP)).files == 0
    assert figures.check(house.connection, zone=ZONE) == [START + timedelta(days=1), START + timedelta(days=4)]
    figures.refresh(house.connection, zone=ZONE)
    agree(house.connection)
    assert figures.check(house.connection, zone=ZONE) == []


def test_a_heartbeat_makes_nothing_stale_and_an_idle_refresh_changes_no_figure(house: House):
    made = loads.run(house.connection, START, "running")
    loads.file(house.connection, made, START)
    figures.refresh(house.connection, zone=ZONE)
    before = figures.state(house.connection)
    house.connection.execute("UPDATE etl.load_runs SET updated_at = now()")
    house.connection.execute("UPDATE etl.load_run_files SET updated_at = now() WHERE false")
    figures.refresh(house.connection, zone=ZONE)
    after = figures.state(house.connection)
    assert before and after and (after.version, after.days) == (before.version, 0)


def test_durations_are_off_by_5_percent_at_most(house: House):
    chance, made = random.Random(3), loads.run(house.connection, START)
    for _ in range(120):
        ended = START + timedelta(seconds=chance.lognormvariate(3, 1.5))
        loads.file(house.connection, made, START, ended=ended, extract=chance.choice(["Visits", "Calls"]))
    figures.refresh(house.connection, zone=ZONE)
    found = figures_reading.durations(house.connection, Scope(START, STOP))
    for extract in ("", "Visits", "Calls"):
        exact = Told(house.connection, ZONE).seconds(START, STOP, extract)
        for q in (0.5, 0.95):
            assert found[extract][q] == pytest.approx(exact[ceil(q * len(exact)) - 1], rel=0.05)


def test_causes_are_those_of_discovery(house: House):
    made = loads.run(house.connection, datetime.now(UTC), "failed")
    for number, error in enumerate(["Line 17 is short", "Line 4 is short", None]):
        loads.file(house.connection, made, START, status="failed", error=error, extract=["Visits", "Calls"][number % 2])
    figures.refresh(house.connection, zone=ZONE)
    failed = figures_reading.failed(house.connection)
    mine = {c.cause: (c.files, c.told) for c in failed.causes}
    theirs = discovery.find(house.connection, house.registry, Filter(why="failed")).causes
    assert mine == {c.cause: (c.files, c.told) for c in theirs}
    assert (failed.files, failed.number) == (3, 2)
    fewer = figures_reading.failed(house.connection, most=1)
    assert (fewer.files, fewer.number, fewer.causes) == (3, 2, failed.causes[:1])
