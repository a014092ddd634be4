"""A set put back into staging: which keys, over whom, what is kept of what it replaces, what raw says afterwards."""

from uuid import UUID, uuid4

import pytest

from tests.archived import archive, look, restore
from tests.house import House, new_run, row
from warehouse import archive_proof, archive_sets, unpinning, verification
from warehouse.archive_holds import RemovedError
from warehouse.archive_sources import NotThereError
from warehouse.journal import Writer
from warehouse.reprocess import ChangedSincePreviewError
from warehouse.restore_classes import Classes, DamagedError, NotProvenError
from warehouse.restoring import CannotRestoreError, Wish, execute

STAGED = "SELECT * FROM stg.visits ORDER BY visit_id"


def fees(house: House) -> dict[str, str | None]:
    return {visit: fee for visit, (fee, _note) in house.staged().items()}


def rows(house: House):
    return house.connection.execute(STAGED).fetchall()


def count(house, query):
    return house.connection.execute(query.encode()).fetchone()[0]


def pinned(house):
    return count(house, "SELECT count(*) FROM restage.pins")


@pytest.fixture
def run(house: House):
    """Visits 1 to 4 of 5 January, one of them looked at."""
    made = house.deliver("20260105", row("1"), row("2", fee="20"), row("3", fee="30"), row("4", fee="40"))
    house.connection.execute("UPDATE stg.visits SET reviewed_by = 'Mere' WHERE visit_id = '2'")
    return made


def test_lost_and_spoilt_rows_come_back_as_they_were(house: House, run):
    before, kept = rows(house), archive(house, run)
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    house.connection.execute("UPDATE stg.visits SET fee = 7, reviewed_by = NULL WHERE visit_id IN ('2', '3')")
    seen = look(house, kept).classes["visits"]
    assert (seen.absent, seen.changed, seen.identical, seen.older, seen.newer) == (1, 2, 1, 0, 0)
    assert (seen.inserted, seen.updated, seen.kept_newer, seen.pinned) == (1, 2, 0, 0)
    outcome = restore(house, kept)
    assert rows(house) == before
    assert (outcome["proven"], outcome["tables"]["visits"]["replaced"]) == (3, 2)
    assert verification.verify(house.connection, house.visits) == verification.Verdict(4, 0, 0, 0, 0)


def test_the_second_time_changes_nothing(house: House, run):
    kept = archive(house, run)
    house.connection.execute("DELETE FROM stg.visits")
    restore(house, kept)
    before = house.state()
    again = restore(house, kept)
    assert (again["tables"]["visits"]["inserted"], again["tables"]["visits"]["updated"]) == (0, 0)
    assert (again["tables"]["visits"]["identical"], again["safety_set"], house.state()) == (4, None, before)


def test_a_dry_run_changes_nothing(house: House, run):
    kept = archive(house, run)
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    before = house.state()
    seen = look(house, kept)
    assert house.state() == before
    assert count(house, "SELECT count(*) FROM pg_tables WHERE schemaname = 'restage_build'") == 0
    (sample,) = seen.samples["visits"]
    assert (sample["class"], sample["key"]) == ("absent", "9")
    assert {"name": "fee", "before": None, "after": "99.99"} in sample["columns"]


def test_newer_owners_stay_by_default(house: House, run):
    kept = archive(house, run)
    house.deliver("20260106", row("1", fee="11"), row("2", fee="20"), org="b")
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '3'")
    outcome = restore(house, kept)["tables"]["visits"]
    assert fees(house) == {"1": "11.00", "2": "20.00", "3": "30.00", "4": "40.00"}
    assert (outcome["newer"], outcome["kept_newer"], outcome["absent"], outcome["pinned"]) == (1, 1, 1, 0)
    assert (house.violations(), pinned(house)) == (0, 0)


def test_a_newer_record_that_staging_has_lost_counts_as_a_newer_owner(house: House, run):
    kept = archive(house, run)
    house.deliver("20260106", row("1", fee="11"), org="b")
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    assert restore(house, kept)["tables"]["visits"]["newer"] == 1
    assert "1" not in fees(house)


def test_an_older_record_is_replaced_and_pinned_where_its_owner_does_not_count(house: House):
    house.deliver("20260104", row("1", fee="4"))
    run = house.deliver("20260105", row("1", fee="5"), row("2", fee="6"), org="b")
    kept = archive(house, run)
    house.write("20260105", org="b")
    house.reprocess(run)  # an empty file: its rows go, the older one comes back
    assert fees(house) == {"1": "4.00"}
    outcome = restore(house, kept)["tables"]["visits"]
    assert (outcome["older"], outcome["absent"], outcome["pinned"], outcome["replaced"]) == (1, 1, 2, 1)
    assert fees(house) == {"1": "5.00", "2": "6.00"}
    assert verification.verify(house.connection, house.visits) == verification.Verdict(2, 0, 0, 0, 0, pins=2)
    house.deliver("20260105", row("1", fee="9"), org="c")
    assert fees(house)["1"] == "5.00"
    house.deliver("20260106", row("1", fee="8"), org="d")
    assert (fees(house)["1"], pinned(house), house.violations()) == ("8.00", 1, 0)


def test_a_successor_of_the_same_file_is_a_newer_owner(house: House, run):
    kept = archive(house, run)
    house.write("20260105", row("1", fee="11"), row("2", fee="20"))
    house.reprocess(run)
    assert restore(house, kept)["tables"]["visits"]["newer"] == 1
    assert fees(house) == {"1": "11.00", "2": "20.00", "3": "30.00", "4": "40.00"}
    assert (pinned(house), house.violations()) == (2, 0)


def test_overwriting_keeps_what_it_replaces_and_is_taken_back(house: House, run):
    kept = archive(house, run)
    later = house.deliver("20260106", row("1", fee="11"), row("5"), org="b")
    job = uuid4()
    outcome = restore(house, kept, job=job, on_newer="overwrite")
    assert fees(house)["1"] == "10.00"
    assert (outcome["tables"]["visits"]["newer"], outcome["tables"]["visits"]["pinned"]) == (1, 1)
    assert house.violations() == 0
    house.write("20260106", row("1", fee="12"), row("5"), org="b")
    house.reprocess(later)
    assert fees(house)["1"] == "10.00", "the file it overwrote on purpose does not come back by being read again"
    # by its safety set, then by letting raw decide
    restore(house, UUID(outcome["safety_set"]), on_newer="overwrite")
    assert fees(house)["1"] == "11.00"
    for (pinner,) in house.connection.execute("SELECT DISTINCT job_id FROM restage.pins").fetchall():
        writer = Writer(uuid4(), 1, "operator")
        unpinning.execute(house.connection, house.registry, pinner, writer, expected=None)
    assert (fees(house)["1"], pinned(house), house.violations()) == ("12.00", 0, 0)


def test_it_fails_where_asked_to(house: House, run):
    kept = archive(house, run)
    house.deliver("20260106", row("1", fee="11"), org="b")
    before = house.state()
    with pytest.raises(CannotRestoreError, match="1 keys of stg"):
        restore(house, kept, on_newer="fail")
    assert house.state() == before


def test_what_has_changed_since_the_preview_is_not_restored(house: House, run):
    kept = archive(house, run)
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    seen = look(house, kept).classes
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '2'")
    before = house.state()
    with pytest.raises(ChangedSincePreviewError):
        execute(house.connection, house.registry, Wish(kept), Writer(uuid4(), 1, "operator"), expected=seen)
    assert house.state() == before
    assert count(house, "SELECT count(*) FROM restage.pins") == 0


def test_what_was_previewed_before_an_upgrade_is_the_same_after_it(house: House):
    """The checksum of what was approved is kept for days, whichever version works it out again."""
    house.connection.execute("ALTER SEQUENCE etl.load_run_files_load_run_file_id_seq RESTART WITH 101")
    run = house.deliver("20260105", row("1"), row("2", fee="20"), row("3"))
    house.connection.execute("UPDATE stg.visits SET load_ts = '2026-01-06 00:00:00+00'")
    kept = archive(house, run)
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    house.connection.execute("UPDATE stg.visits SET fee = 7 WHERE visit_id = '2'")
    seen = look(house, kept).classes["visits"]
    assert seen.checksum == "000000004dc22743d463c116"
    before = {name: value for name, value in seen.as_json().items() if name != "quarantined"}
    assert Classes.from_json(before) == seen


def test_another_declaration_since_is_noticed(house: House, run):
    """Rows that the fold of today would make otherwise are pinned."""
    kept = archive(house, run)
    house.connection.execute("UPDATE restage.builds SET declaration = 'another'")
    house.connection.execute("DELETE FROM stg.visits")
    assert restore(house, kept)["tables"]["visits"]["pinned"] == 0, "folded anew: the same rows"
    house.connection.execute("DELETE FROM stg.visits")
    house.connection.execute("UPDATE raw.visits SET fee = 'x' WHERE visit_id = '1'")
    assert restore(house, kept)["tables"]["visits"]["pinned"] == 1
    assert house.violations() == 0


def test_rows_of_nowhere_are_refused(house: House, run):
    kept = archive(house, run)
    house.connection.execute("UPDATE stg.visits_archive SET load_run_file_id = 999")
    house.connection.execute(
        "UPDATE restage.archive_parts SET checksum = (SELECT sum(row_hash::numeric"
        " + hash_record_extended(ROW(load_run_file_id, load_ts, reviewed_by), 0)) FROM stg.visits_archive)"
    )
    with pytest.raises(CannotRestoreError, match="made by files 999"):
        look(house, kept)
    assert restore(house, kept, into="side")["side"]["visits"]["rows"] == 4


def test_rows_of_an_extract_that_has_another_name_now_are_refused(house: House, run):
    kept = archive(house, run)
    house.connection.execute("UPDATE etl.load_run_files SET extract_type = 'Former'")
    with pytest.raises(CannotRestoreError, match="does not list as Visits any more"):
        look(house, kept)


@pytest.mark.parametrize(
    "damage", ["DELETE FROM", "UPDATE", "UPDATE hash"], ids=["row lost", "value changed", "value and hash changed"]
)
def test_a_damaged_set_is_refused(house: House, run, damage):
    kept = archive(house, run)
    sets = {"UPDATE": " SET fee = 1", "UPDATE hash": " SET fee = 1, row_hash = 5"}
    statement = f"{damage.removesuffix(' hash')} stg.visits_archive{sets.get(damage, '')} WHERE visit_id = '1'"
    house.connection.execute(statement.encode())
    with pytest.raises(DamagedError):
        look(house, kept)


def test_a_trigger_that_changes_rows_undoes_all_of_it(house: House, run):
    kept = archive(house, run)
    house.connection.execute("DELETE FROM stg.visits")
    house.connection.execute(
        "CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.fee := 1; RETURN NEW; END $$;"
        " CREATE TRIGGER meddle BEFORE INSERT ON stg.visits FOR EACH ROW EXECUTE FUNCTION public.meddle()"
    )
    before = house.state()
    with pytest.raises(NotProvenError):
        restore(house, kept)
    assert house.state() == before
    assert count(house, "SELECT count(*) FROM restage.archive_sets WHERE kind = 'safety'") == 0


def test_into_a_side_table(house: House, run):
    kept = archive(house, run)
    before = house.state()
    made = restore(house, kept, into="side")["side"]["visits"]
    assert house.state() == before
    assert count(house, f"SELECT count(*) FROM {made['name']} WHERE reviewed_by = 'Mere'") == 1
    assert made["rows"] == 4


def test_a_removed_set_and_an_unknown_table_are_refused(house: House, run):
    kept = archive(house, run)
    with pytest.raises(NotThereError, match="holds nothing of calls"):
        look(house, kept, tables=("calls",))
    house.connection.execute("UPDATE restage.archive_sets SET removed_at = now()")
    with pytest.raises(RemovedError, match="was removed"):
        look(house, kept)


def test_the_set_is_in_use_while_it_is_restored_and_free_afterwards(house: House, run):
    kept = archive(house, run)
    uses = "SELECT count(*) FROM restage.archive_uses"
    restore(house, kept)
    assert count(house, uses) == 0


def test_an_empty_set_restores_nothing(house: House, run):
    _job, outcome = house.reprocess(run)
    made = archive(house, new_run(outcome))
    assert restore(house, made)["tables"]["visits"]["identical"] == 0
    assert house.violations() == 0


def test_core_has_yet_to_follow(house: House, run):
    kept = archive(house, run)
    house.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    restore(house, kept)
    (stale,) = house.connection.execute(
        "SELECT key ->> 'visit_id', class FROM restage.stale_core ORDER BY since DESC LIMIT 1"
    ).fetchall()
    assert stale == ("1", "inserted")


def test_a_safety_set_is_an_archive_like_any_other(house: House, run):
    """Proven by reading, and with a version of its own beside the sets of the same run."""
    kept = archive(house, run)
    house.connection.execute("UPDATE stg.visits SET fee = 5 WHERE visit_id = '1'")
    safety = UUID(restore(house, kept)["safety_set"])
    (part,) = archive_sets.parts(house.connection, [safety])
    assert (part.rows, part.archive_version) == (1, 2)
    assert archive_proof.prove(house.connection, part, house.visits).holds
    assert part.statistics["visit_id"]["least"] == "1"
