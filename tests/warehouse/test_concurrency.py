"""Loads, reprocessings and rollbacks of the same keys at the same time: staging is the fold of raw afterwards."""

from concurrent.futures import ThreadPoolExecutor
from random import Random
from uuid import UUID

import psycopg
import pytest

from tests.house import House, row
from tests.stack import eventually
from warehouse import locks
from warehouse.connections import connect
from warehouse.errors import TellableError

WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_trap_37_writers_of_the_same_keys_leave_the_fold(house: House, warehouse_url, extracts, tmp_path, seed):
    chance = Random(seed)

    def rows():
        return [row(str(chance.randrange(60)), fee=str(chance.randrange(9))) for _ in range(80)]

    runs: list[UUID] = [house.deliver(f"202601{10 + n}", *rows(), org="first") for n in range(3)]
    jobs = [house.reprocess(run)[0] for run in runs[:1]]
    deliveries = {org: [(f"202601{10 + chance.randrange(15)}", rows()) for _ in range(4)] for org in ("a", "b")}
    again = {run: rows() for run in runs[1:]}

    def alone(act):
        with psycopg.connect(warehouse_url, autocommit=True) as connection:
            return act(connection)

    def load(org: str):
        def act(connection):
            mine = House(connection, extracts, tmp_path / f"of-{org}")
            for day, content in deliveries[org]:
                mine.write(day, *content, org=org)
                assert not any(loaded.failed for loaded in mine.load().runs)

        return alone(act)

    def reprocess(run: UUID):
        def act(connection):
            mine = House(connection, extracts, house.folder)
            mine.write(f"202601{10 + runs.index(run)}", *again[run], org="first")
            mine.reprocess(run)

        return alone(act)

    def roll_back(job: UUID):
        return alone(lambda connection: House(connection, extracts, house.folder).roll_back(job))

    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(load, org) for org in deliveries]
        futures += [pool.submit(reprocess, run) for run in again]
        futures += [pool.submit(roll_back, job) for job in jobs]
        for future in futures:
            assert not isinstance(future.exception(), TellableError | psycopg.Error), future.exception()
            future.result()
    assert house.violations() == 0
    held = house.connection.execute(
        "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
    ).fetchone()
    assert held == (0,)


def test_a_load_that_waited_sees_what_was_committed_meanwhile_whatever_the_database_is_set_to(
    house: House, warehouse_url, extracts, tmp_path
):
    """With one snapshot for a whole transaction, the older file would not see that a newer one stands already."""
    house.deliver("20260105", row("1", fee="1"))
    house.write("20260106", row("1", fee="2"))
    house.connection.execute(f"ALTER DATABASE {house.connection.info.dbname} SET default_transaction_isolation TO"
                             " 'repeatable read'")  # fmt: skip
    newer = House(house.connection, extracts, tmp_path / "newer")
    newer.write("20260107", row("1", fee="1"), org="b")

    def load_older():
        with connect(warehouse_url, purpose="load") as connection:
            return House(connection, extracts, house.folder).load()

    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(warehouse_url, autocommit=True) as other, other.transaction():
            locks.tables(other, [house.visits], wait_ms=1000)
            older = pool.submit(load_older)
            eventually(lambda: house.connection.execute(WAITING).fetchone())
            assert not House(other, extracts, newer.folder).load().runs[0].failed
        assert not older.result().runs[0].failed
    assert house.staged()["1"][0] == "1.00"
    assert house.violations() == 0
