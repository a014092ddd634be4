"""What happens to load runs is told once, in the writer's transaction, and never at the writer's cost."""

import threading
from uuid import UUID

import psycopg
import pytest

from tests.house import House, row
from tests.stack import eventually
from warehouse import adoption, happenings, standing
from warehouse.happenings import START

BEGUN = "INSERT INTO etl.load_runs (status, triggered_by) VALUES ('running', 'schedule') RETURNING load_run_id"


def begin(connection: psycopg.Connection) -> UUID:
    (run,) = connection.execute(BEGUN).fetchone() or (None,)
    return UUID(str(run))


def told(house: House, position: str) -> tuple[str, list[tuple[str, str]]]:
    after, found = happenings.read(house.connection, position)
    return after, [(h.what, h.status) for h in found]


def test_a_load_is_told_once(house: House):
    after, before = happenings.read(house.connection, START)
    assert before == []
    house.deliver("20260105", row("1"))
    after, found = told(house, after)
    assert found[:2] == [("run", "running"), ("file", "processing")]
    assert set(found[2:]) == {("file", "completed"), ("staging", "completed"), ("run", "completed")}
    assert told(house, after)[1] == []


def test_nothing_is_told_of_a_heartbeat_or_a_rollback(house: House):
    run = begin(house.connection)
    after, _found = happenings.read(house.connection, START)
    house.connection.execute("UPDATE etl.load_runs SET updated_at = now(), status = status")
    with pytest.raises(ZeroDivisionError), house.connection.transaction():
        house.connection.execute("UPDATE etl.load_runs SET status = 'failed' WHERE load_run_id = %s", [run])
        raise ZeroDivisionError
    assert told(house, after)[1] == []


def test_late_and_overtaken_commits_are_read_exactly_once(house: House, warehouse_url: str):
    """A transaction that began first and commits last, and one that stays open all the while."""
    with psycopg.connect(warehouse_url) as late, psycopg.connect(warehouse_url) as idle:
        first = begin(late)
        idle.execute("SELECT pg_current_xact_id()")
        second = begin(house.connection)
        after, found = happenings.read(house.connection, START)
        assert [h.load_run_id for h in found] == [second]
        late.commit()
        third = begin(house.connection)
        after, found = happenings.read(house.connection, after)
        assert [h.load_run_id for h in found] == [first, third]
        assert happenings.read(house.connection, after)[1] == []


def test_a_server_that_was_restored_is_read_from_the_start(house: House):
    run = begin(house.connection)
    _after, found = happenings.read(house.connection, "900000000:900000000:")
    assert [h.load_run_id for h in found] == [run]


def test_a_notice_holds_an_id_and_wakes_the_listener(house: House, warehouse_url: str):
    with happenings.listening(warehouse_url) as ear:
        run = begin(house.connection)
        (notice,) = ear.notifies(timeout=5, stop_after=1)
        assert notice.payload == str(run)
        house.connection.execute("SET restage.quiet = 'on'")
        begin(house.connection)
        assert list(ear.notifies(timeout=0.3, stop_after=1)) == []
    assert len(happenings.read(house.connection, START)[1]) == 2


def test_many_rows_of_one_statement_are_one_notice(house: House, warehouse_url: str):
    with happenings.listening(warehouse_url) as ear:
        house.connection.execute(
            "INSERT INTO etl.load_runs (status, triggered_by) SELECT 'running', 'x' FROM generate_series(1, 5000)"
        )
        assert [n.payload for n in ear.notifies(timeout=0.5)] == [""]
    assert len(happenings.read(house.connection, START)[1]) == 5000


@pytest.mark.parametrize(
    "broken",
    [
        "DROP TABLE restage.happenings",
        "ALTER TABLE restage.happenings ADD CHECK (false)",
        "ALTER TABLE restage.happenings RENAME tx TO other",
        "REVOKE ALL ON SCHEMA restage FROM PUBLIC; ALTER TABLE restage.happenings ALTER what TYPE varchar(1)",
    ],
)
def test_the_writer_goes_on_whatever_is_broken(house: House, broken: str):
    house.connection.execute(broken)
    house.deliver("20260105", row("1"))
    assert house.staged() == {"1": ("10.00", None)}


def test_a_writer_without_rights_on_restage_goes_on_and_is_told(house: House):
    house.connection.execute("CREATE ROLE loader_of_test; GRANT USAGE ON SCHEMA etl TO loader_of_test;"
                             "GRANT INSERT, SELECT ON etl.load_runs TO loader_of_test")  # fmt: skip
    try:
        house.connection.execute("SET ROLE loader_of_test")
        run = begin(house.connection)
        house.connection.execute("RESET ROLE")
        assert [h.load_run_id for h in happenings.read(house.connection, START)[1]] == [run]
    finally:
        house.connection.execute("RESET ROLE; DROP OWNED BY loader_of_test; DROP ROLE loader_of_test")


def settled(house: House) -> str:
    """The position after all there is, once no transaction of another test on this server is older than that."""
    after, _found = happenings.read(house.connection, START)
    over = "SELECT bool_and(tx < pg_snapshot_xmin(%s::pg_snapshot)) FROM restage.happenings"
    return after if house.connection.execute(over, [after]).fetchone() == (True,) else ""


def test_old_ones_are_forgotten_once_they_are_read(house: House):
    begin(house.connection)
    after = eventually(lambda: settled(house))
    begin(house.connection)
    house.connection.execute("UPDATE restage.happenings SET at = at - interval '8 days'")
    assert happenings.read(house.connection, START)[1] == []
    assert happenings.forget(house.connection, after) == 1
    assert len(happenings.read(house.connection, after)[1]) == 1


def test_a_disabled_or_missing_trigger_is_found_and_mended(house: House):
    house.connection.execute("ALTER TABLE etl.load_runs DISABLE TRIGGER restage_note_insert")
    house.connection.execute("DROP TRIGGER restage_note_update ON etl.load_run_files")
    made = [step.what for step in adoption.apply(house.connection, house.registry)]
    assert made == [
        "trigger restage_note_insert on etl.load_runs, disabled",
        "trigger restage_note_update on etl.load_run_files (tells the watcher)",
    ]
    begin(house.connection)
    assert len(happenings.read(house.connection, START)[1]) == 1


def test_parallel_writers_lose_nothing(house: House, warehouse_url: str):
    def write() -> None:
        with psycopg.connect(warehouse_url, autocommit=True) as connection:
            for _ in range(50):
                begin(connection)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    seen: list[int] = []
    after = START
    while any(writer.is_alive() for writer in writers):
        after, found = happenings.read(house.connection, after)
        seen += [h.change_id for h in found]
    seen += [h.change_id for h in happenings.read(house.connection, after)[1]]
    assert len(seen) == len(set(seen)) == 200


def test_how_a_run_stands_is_counted_as_discovery_does(house: House):
    run = house.deliver("20260105", row("1"), row("2", seen="never"))
    (found,) = standing.of_runs(house.connection, [run])
    assert (found.extract, found.over, found.failed, found.read, found.refused) == ("Visits", True, 0, 2, 1)
    assert (found.share_refused, found.made_by) == (0.5, None)
    job, outcome = house.reprocess(run)
    (again,) = standing.of_runs(house.connection, [UUID(next(iter(outcome["load_runs"].values())))])
    assert (again.share_refused, again.made_by) == (0.5, job)
    assert standing.of_runs(house.connection, [run]) == []
    assert len(standing.runs_with_raw(house.connection, "Visits")) == 1


def test_a_silent_run_is_found_after_two_hours(house: House):
    run = house.deliver("20260105", row("1"))
    house.connection.execute("UPDATE etl.load_runs SET status = 'running', updated_at = now() - interval '3 h'")
    house.connection.execute("UPDATE etl.load_run_files SET status = 'processing', updated_at = now() - interval '3 h'")
    assert [(s.load_run_id, s.extract) for s in standing.silent(house.connection)] == [(run, "Visits")]
    house.connection.execute("UPDATE etl.load_runs SET updated_at = now() - interval '1 h'")
    assert standing.silent(house.connection) == []
