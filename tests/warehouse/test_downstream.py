"""What core has not taken over is listed by key, resolves by a later merge of the right run, and stays bounded."""

import csv
import io
from uuid import UUID

import psycopg
import pytest

from tests.house import House, new_run, row
from warehouse import downstream


def stale(house: House) -> dict[str, tuple[int, int, int]]:
    """extract → (changes, changed, deleted)."""
    found = downstream.look(house.connection, house.registry)
    return {entry.extract_type: (entry.changes, entry.changed, entry.deleted) for entry in found}


def merge(house: House, run: UUID, extract: str = "Visits", status: str = "completed") -> None:
    """What core's loader writes once it has merged a load run."""
    house.connection.execute(
        "WITH s AS (INSERT INTO etl.staging_runs (load_run_id, extract_type, source_table, target_table, status)"
        " VALUES (%(run)s, 'Visits', 'r', 's', 'failed') RETURNING staging_run_id)"
        " INSERT INTO etl.core_merge_runs (load_run_id, staging_run_id, extract_type, started_at, completed_at, status)"
        " SELECT %(run)s, staging_run_id, %(extract)s, clock_timestamp(), clock_timestamp(), %(status)s FROM s",
        {"run": run, "extract": extract, "status": status},
    )


@pytest.fixture
def merged(house: House) -> UUID:
    run = house.deliver("20260105", row("1"), row("2"), row("3"))
    assert stale(house) == {"Visits": (3, 3, 0)}
    merge(house, run)
    assert stale(house) == {}
    return run


def test_a_load_makes_core_stale_until_its_run_is_merged(house: House, merged):
    later = house.deliver("20260106", row("3", fee="11"), row("4"))
    assert stale(house) == {"Visits": (2, 2, 0)}
    merge(house, merged)
    assert stale(house) == {"Visits": (2, 2, 0)}, "a merge of another run has not read them"
    merge(house, later, status="failed")
    assert stale(house) == {"Visits": (2, 2, 0)}
    merge(house, later)
    assert stale(house) == {}


@pytest.mark.parametrize("name", ["Visits", "visits", "Visit", "VISIT"])
def test_trap_62_core_may_call_the_extract_otherwise(house: House, name):
    merge(house, house.deliver("20260105", row("1")), extract=name)
    assert stale(house) == {}


def test_a_merge_of_another_extract_resolves_nothing(house: House):
    merge(house, house.deliver("20260105", row("1")), extract="Calls")
    assert stale(house) == {"Visits": (1, 1, 0)}


def test_trap_61_a_deleted_key_stays_until_a_person_has_dealt_with_it(house: House, merged):
    house.write("20260105", row("1"), row("2", fee="11"))
    _job, outcome = house.reprocess(merged)
    assert stale(house) == {"Visits": (2, 1, 1)}
    merge(house, new_run(outcome))
    assert stale(house) == {"Visits": (1, 0, 1)}
    (entry,) = downstream.look(house.connection, house.registry)
    assert downstream.dealt_with(house.connection, house.visits, seen=entry.seen) == 1
    assert stale(house) == {}


def test_what_changed_after_a_person_looked_is_not_dealt_with(house: House, merged):
    house.deliver("20260106", row("3", fee="11"))
    (entry,) = downstream.look(house.connection, house.registry)
    house.deliver("20260107", row("2", fee="12"))
    assert downstream.dealt_with(house.connection, house.visits, seen=entry.seen) == 1
    assert stale(house) == {"Visits": (1, 1, 0)}


def test_a_refold_a_reprocessing_and_a_rollback_note_what_they_changed(house: House, merged):
    house.write("20260105", row("1"), row("2", fee="11"), row("3"))
    job, _outcome = house.reprocess(merged)
    assert stale(house) == {"Visits": (1, 1, 0)}
    since = downstream.look(house.connection, house.registry)[0].since
    house.roll_back(job)
    (entry,) = downstream.look(house.connection, house.registry)
    assert (entry.changes, entry.since, entry.load_runs) == (1, since, [merged]), "stale since the first change"


def test_a_publication_that_changes_nothing_notes_nothing(house: House, merged):
    house.reprocess(merged)
    assert stale(house) == {}


def test_a_refused_job_leaves_no_note(house: House, merged):
    house.write("20260105", row("1", fee="12"), row("2"), row("3"))
    house.connection.execute("ALTER TABLE stg.visits ADD CHECK (fee <> 12)")
    with pytest.raises(Exception, match="violates check"):
        house.reprocess(merged)
    assert stale(house) == {}


def test_past_a_number_of_keys_a_whole_run_is_noted(house: House, merged, monkeypatch):
    monkeypatch.setattr(downstream, "MOST_KEYS", 2)
    house.write("20260105", row("1", fee="11"), row("2", fee="11"), row("4"))
    _job, outcome = house.reprocess(merged)
    rows = house.connection.execute("SELECT key, keys, class FROM restage.stale_core ORDER BY class").fetchall()
    assert rows == [(None, 1, "deleted"), (None, 1, "inserted"), (None, 2, "updated")]
    assert stale(house) == {"Visits": (4, 3, 1)}
    merge(house, new_run(outcome))
    assert stale(house) == {"Visits": (1, 0, 1)}


def test_a_merge_that_began_before_the_change_was_committed_resolves_nothing(house: House, merged):
    """The note is written before the commit; a merge that begins in between has read the old row."""
    later = house.deliver("20260106", row("3", fee="11"))
    house.connection.execute("UPDATE restage.stale_core SET settled_at = NULL")
    merge(house, later)
    assert stale(house) == {"Visits": (1, 1, 0)}


def test_the_merge_list_holds_hashes_and_keys_only_when_asked(house: House, merged):
    house.deliver("20260106", row("secret-7"))
    hidden = list(downstream.merge_list(house.connection, house.visits, in_clear=False, hashed=str.upper))
    assert "secret-7" not in str(hidden)
    assert (hidden[0]["change"], hidden[0]["key_hash"]) == ("inserted", '{"VISIT_ID": "SECRET-7"}')
    out = io.StringIO()
    clear = downstream.merge_list(house.connection, house.visits, in_clear=True, hashed=str.upper)
    csv.writer(out).writerows(r.values() for r in clear)
    assert "secret-7" in out.getvalue()


def test_dependants_are_named_with_their_rows_direct_ones_first(house: House, extracts):
    found = downstream.dependants(house.connection, extracts, ["patients"])
    of = {entry["extract"]: (entry["direct"], entry["rows"]) for entry in found}
    assert of["Appointments"] == (True, 0) and of["InvoiceDetail"] == (False, 0)
    assert [entry["direct"] for entry in found] == sorted((e["direct"] for e in found), reverse=True)
    assert downstream.dependants(house.connection, extracts, ["visits"]) == []


def test_looking_waits_for_no_publication(house: House, merged, warehouse_url):
    house.deliver("20260106", row("3", fee="11"))
    house.connection.execute("UPDATE restage.stale_core SET settled_at = NULL")
    with psycopg.connect(warehouse_url) as publishing:
        publishing.execute("UPDATE restage.stale_core SET class = class")
        house.connection.execute("SET lock_timeout = '1s'")
        (entry,) = downstream.look(house.connection, house.registry)
        downstream.settle(house.connection)
        assert downstream.dealt_with(house.connection, house.visits, seen=entry.seen) == 0
    assert stale(house) == {"Visits": (1, 1, 0)}


def test_looking_writes_nothing_and_what_is_not_settled_can_be_dealt_with_the_next_time(house: House, merged):
    """A worker died between its commit and the note that it is committed."""
    house.deliver("20260106", row("3", fee="11"))
    house.connection.execute("UPDATE restage.stale_core SET settled_at = NULL")
    house.connection.execute("SET default_transaction_read_only = on")
    (entry,) = downstream.look(house.connection, house.registry)
    house.connection.execute("SET default_transaction_read_only = off")
    assert downstream.dealt_with(house.connection, house.visits, seen=entry.seen) == 0
    (entry,) = downstream.look(house.connection, house.registry)
    assert downstream.dealt_with(house.connection, house.visits, seen=entry.seen) == 1
    assert stale(house) == {}
