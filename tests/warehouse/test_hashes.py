"""The kept hashes follow staging, whoever writes there; a hash that does not is told by verify."""

import psycopg
import pytest
from psycopg import sql

from tests.conftest import CALLS
from tests.house import VISITS, House, row
from warehouse import adoption, hashes, verification
from warehouse.registry import SHIPPED, load

WRITES = [
    "INSERT INTO stg.visits (visit_id, fee, load_run_file_id) VALUES ('7', 1, 1), ('8', NULL, 1)",
    "UPDATE stg.visits SET fee = fee + 1",
    "UPDATE stg.visits SET note = 'é' WHERE visit_id = '1'",
    "UPDATE stg.visits SET visit_id = visit_id || 'x'",
    "UPDATE stg.visits SET visit_id = CASE visit_id WHEN '1' THEN '9' ELSE visit_id END, fee = 3",
    "UPDATE stg.visits SET load_ts = now()",
    "DELETE FROM stg.visits WHERE visit_id = '2'",
    "DELETE FROM stg.visits",
    "TRUNCATE stg.visits",
    "INSERT INTO stg.visits (visit_id, fee, load_run_file_id) VALUES ('1', 5, 1)"
    " ON CONFLICT (visit_id) DO UPDATE SET fee = excluded.fee",
    "MERGE INTO stg.visits s USING (VALUES ('1', 6), ('9', 7)) n (id, fee) ON s.visit_id = n.id"
    " WHEN MATCHED THEN UPDATE SET fee = n.fee WHEN NOT MATCHED THEN INSERT (visit_id, fee, load_run_file_id)"
    " VALUES (n.id, n.fee, 1)",
]


def stale(house: House) -> int:
    return verification.verify(house.connection, house.visits).stale


def hashed(house: House) -> int:
    """Rows with a hash."""
    (found,) = house.connection.execute("SELECT count(row_hash) FROM stg.visits").fetchone() or (0,)
    return int(found)


@pytest.mark.parametrize("write", WRITES)
def test_the_hashes_follow_every_way_to_write(house: House, write):
    house.deliver("20260105", row("1"), row("2"), row("3", note="n"))
    house.connection.execute(write)
    (rows,) = house.connection.execute("SELECT count(*) FROM stg.visits").fetchone() or (0,)
    assert (stale(house), hashed(house)) == (0, rows)


def test_a_number_that_only_changes_its_sign_is_another_row(house: House):
    """hash_numeric() of PostgreSQL leaves the sign out."""
    run = house.deliver("20260105", row("1", fee="10.00"), row("2", fee="0"))
    house.write("20260105", row("1", fee="-10.00"), row("2", fee="-0"))
    counts = house.reprocess(run)[1]["tables"]["visits"]
    assert (counts["updated"], counts["unchanged"]) == (1, 1)
    assert house.staged() == {"1": ("-10.00", None), "2": ("0.00", None)}


def test_a_swap_of_keys_is_followed(house: House):
    house.deliver("20260105", row("1", fee="1"), row("2", fee="2"))
    with house.connection.transaction():
        house.connection.execute("UPDATE stg.visits SET visit_id = 't' WHERE visit_id = '1'")
        house.connection.execute("UPDATE stg.visits SET visit_id = '1' WHERE visit_id = '2'")
        house.connection.execute("UPDATE stg.visits SET visit_id = '2' WHERE visit_id = 't'")
    assert stale(house) == 0


def test_a_write_that_is_rolled_back_leaves_no_hash(house: House):
    house.deliver("20260105", row("1"))
    with house.connection.transaction(force_rollback=True):
        house.connection.execute("UPDATE stg.visits SET fee = 99")
    assert stale(house) == 0


def test_a_loader_that_may_write_staging_only_is_not_disturbed(house: House):
    house.deliver("20260105", row("1"))
    connection = house.connection
    connection.execute("DO $$ BEGIN CREATE ROLE nightly_loader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    connection.execute("GRANT USAGE ON SCHEMA stg TO nightly_loader")
    connection.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON stg.visits TO nightly_loader")
    with connection.transaction():
        connection.execute("SET LOCAL ROLE nightly_loader")
        connection.execute("UPDATE stg.visits SET fee = 77")
        connection.execute("INSERT INTO stg.visits (visit_id, load_run_file_id) VALUES ('2', 1)")
    assert stale(house) == 0
    connection.execute("DROP OWNED BY nightly_loader")


def test_verify_tells_of_a_hash_that_does_not_fit(house: House):
    house.deliver("20260105", row("1"), row("2"))
    with house.connection.transaction():
        house.connection.execute("ALTER TABLE stg.visits DISABLE TRIGGER USER")
        house.connection.execute("UPDATE stg.visits SET row_hash = row_hash + 1 WHERE visit_id = '1'")
        house.connection.execute("ALTER TABLE stg.visits ENABLE ALWAYS TRIGGER zz_restage_hash")
    assert stale(house) == 1


def test_a_hash_that_another_writer_leaves_as_it_was_is_made_anew(house: House):
    house.deliver("20260105", row("1"))
    house.connection.execute("UPDATE stg.visits SET fee = 7, row_hash = row_hash")
    assert (stale(house), hashed(house)) == (0, 1)


def test_rows_that_were_there_before_have_no_hash_and_are_compared_all_the_same(house: House, extracts):
    house.deliver("20260105", row("1"), row("2"), row("3"))
    house.connection.execute("ALTER TABLE stg.visits DROP COLUMN row_hash CASCADE")
    house.connection.execute("DELETE FROM restage.applied WHERE name = 'hash_visits'")
    steps = [step.what for step in adoption.apply(house.connection, extracts)]
    assert steps == ["column stg.visits.row_hash", "row hashes of stg.visits"]
    assert adoption.missing(house.connection, extracts) == []
    assert hashed(house) == 0
    house.write("20260106", row("1", fee="12"), row("2"))
    (loaded,) = house.load().runs
    assert (stale(house), hashed(house), house.violations()) == (0, 1, 0)
    before = house.staged()
    house.write("20260106", row("1", fee="12"), row("2", fee="13"))
    preview = house.prepare(house.work(loaded.load_run_id)).diffs["visits"].counts
    assert (preview.updated, preview.unchanged, before["2"][0]) == (1, 1, "10.00")


def test_other_columns_make_other_hashes(house: House, extracts, tmp_path):
    """A declaration that feeds one column more: what was kept says nothing any more."""
    house.deliver("20260105", row("1"))
    folder = tmp_path / "changed"
    folder.mkdir()
    for name, text in (("visits", VISITS), ("calls", CALLS)):
        changed_text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("reviewed_by"))
        (folder / f"{name}.toml").write_text(
            changed_text.replace("[staging_only]\n", "").replace("fee =", 'code = "text"\nfee =')
        )
    changed = load([SHIPPED, folder])
    steps = [step.what for step in adoption.apply(house.connection, changed)]
    assert "row hashes of stg.visits" in steps
    found = house.connection.execute(
        sql.SQL("SELECT count(*) FROM stg.visits s WHERE s.row_hash = {}").format(hashes.of_row(changed["Visits"], "s"))
    ).fetchone()
    assert found == (1,)


def test_apply_is_refused_whole_where_a_hash_cannot_be_made(house: House, extracts):
    house.deliver("20260105", row("1"))
    house.connection.execute("DROP FUNCTION restage.keep_hash_visits CASCADE")
    house.connection.execute("CREATE PROCEDURE restage.keep_hash_visits() LANGUAGE sql AS ''")
    house.connection.execute("DELETE FROM restage.applied WHERE name = 'hash_visits'")
    with pytest.raises(psycopg.errors.WrongObjectType):
        adoption.apply(house.connection, extracts)
    noted = house.connection.execute("SELECT count(*) FROM restage.applied WHERE name = 'hash_visits'").fetchone()
    assert noted == (0,)


HIDDEN = [
    # a loader that copies rows with their hash, changed meanwhile
    ("CREATE TEMP TABLE copied AS TABLE stg.visits", "UPDATE copied SET fee = 77", "DELETE FROM stg.visits",
     "INSERT INTO stg.visits TABLE copied"),
    ("CREATE TEMP TABLE copied AS TABLE stg.visits", "UPDATE copied SET fee = 77, row_hash = row_hash + 1",
     "UPDATE stg.visits s SET fee = c.fee, row_hash = c.row_hash FROM copied c WHERE c.visit_id = s.visit_id"),
    # what applies changes as a replica fires ordinary triggers never
    ("SET LOCAL session_replication_role = replica", "UPDATE stg.visits SET fee = 77"),
]  # fmt: skip


@pytest.mark.parametrize("writes", HIDDEN)
def test_no_way_to_write_hides_a_change_from_the_diff(house: House, writes):
    run = house.deliver("20260105", row("1"), row("2"))
    with house.connection.transaction():
        for write in writes:
            house.connection.execute(write)
    assert stale(house) == 0
    counts = house.prepare(house.work(run)).diffs["visits"].counts
    assert (counts.updated, counts.unchanged) == (2, 0)
    house.reprocess(run)
    assert {fee for fee, _note in house.staged().values()} == {"10.00"}


BROKEN = [
    "ALTER TABLE stg.visits DISABLE TRIGGER zz_restage_hash",
    "DROP TRIGGER zz_restage_hash ON stg.visits",
    "ALTER TABLE stg.visits RENAME TO former; CREATE TABLE stg.visits (LIKE stg.former INCLUDING ALL);"
    " INSERT INTO stg.visits TABLE stg.former; DROP TABLE stg.former",
]


@pytest.mark.parametrize("broken", BROKEN)
def test_apply_repairs_what_keeps_the_hashes(house: House, extracts, broken):
    house.deliver("20260105", row("1"), row("2"))
    with house.connection.transaction():
        house.connection.execute(broken)
        house.connection.execute("UPDATE stg.visits SET fee = 77")
    assert stale(house) == 2
    assert [step.what for step in adoption.missing(house.connection, extracts)] == ["row hashes of stg.visits"]
    adoption.apply(house.connection, extracts)
    assert adoption.missing(house.connection, extracts) == []
    assert stale(house) == 0
    house.connection.execute("UPDATE stg.visits SET fee = 78")
    assert stale(house) == 0
