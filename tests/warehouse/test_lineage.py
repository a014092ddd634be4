"""From a staging row back to the record of the file that it was made of; and what became of a key that is not there."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.archived import archive, restore
from tests.house import House, row
from warehouse import chains, fates, lineage, record_places, records, wire
from warehouse.archive_keys import NotAKeyError
from warehouse.lineage import Trace
from warehouse.record_places import CHANGED, GONE, SAME
from warehouse.registry import Format
from warehouse.wire import Record


def told(house: House, visit: str) -> Trace:
    return lineage.trace(house.connection, house.visits, {"visit_id": visit})


def place(house: House, found: Trace) -> record_places.Place:
    assert found.maker
    return record_places.look(
        house.connection,
        house.visits,
        found.links[found.maker.load_run_file_id],
        found.maker,
        records.one_key(house.visits, found.key),
    )


def test_a_quoted_record_of_several_lines_begins_where_the_line_says(house: House):
    house.write("20260105", row("1", note='"one\ntwo\n\nfour"'), row("2"), row("", note="no key"), row("3"))
    house.load()
    lines = (house.folder / "a_visits_20260105.csv").read_text().split("\n")
    for visit, record_no in (("1", 1), ("2", 2), ("3", 4)):
        found = told(house, visit)
        assert found.maker and found.maker.record_no == record_no and found.maker.makes and found.maker.in_force
        assert found.maker.line_no and lines[found.maker.line_no - 1].startswith(f"{visit},")
        there = place(house, found)
        assert (there.verdict, there.line_no, there.record_no) == (SAME, found.maker.line_no, record_no)
        text = (house.folder / "a_visits_20260105.csv").read_bytes()
        assert text[there.byte_offset :].startswith(f"{visit},".encode())


def test_separated_records_are_found_at_their_byte_whatever_stands_between(house: House, tmp_path):
    """UTF-16 with a mark, several lines in a record, line breaks between records."""
    form = Format("separated", "utf-16-le", "|^^|", "|~~|")
    extract = replace(house.visits, format=form)
    bodies = ["1|^^|a\nb|^^|ā|^^||^^|", "2|^^|\U0001f600|^^||^^||^^|", "3|^^||^^||^^||^^|"]
    for mark in ("", "\ufeff"):
        content = (mark + "|~~|".join([bodies[0], f"\r\n{bodies[1]}", f"\n\r\n{bodies[2]}", "\r\n"])).encode(
            "utf-16-le"
        )
        (tmp_path / "f").write_bytes(content)
        with (tmp_path / "f").open("rb") as stream:
            found = [item for item in wire.records(stream, extract) if isinstance(item, Record)]
        assert [record.line for record in found] == [1, 3, 5]
        for record, body in zip(found, bodies, strict=True):
            with (tmp_path / "f").open("rb") as stream:
                begin = record_places._offset(stream, extract, record)
            assert begin is not None and content[begin:].startswith(body.encode("utf-16-le"))


def test_a_chain_of_attempts_is_told_with_what_holds_now(house: House):
    first = house.deliver("20260105", row("1"), row("2", fee="10"), row("3"))
    house.write("20260105", row("1"), row("2", fee="12"))
    job, outcome = house.reprocess(first)
    (old,), (new,) = map(int, outcome["files"]), outcome["files"].values()
    stays, changed, gone = (told(house, visit) for visit in "123")
    assert stays.row and stays.row.load_run_file_id == old and stays.row.written_by is None
    assert stays.in_force and stays.in_force.load_run_file_id == new and stays.in_force.makes
    assert changed.row and (changed.row.load_run_file_id, changed.row.written_by) == (new, job)
    assert [(c.job_id, c.kind) for c in changed.changes] == [(job, "updated")]
    assert list(changed.links) == [old, new] and changed.links[new].predecessor == old
    assert (changed.links[new].job, changed.links[new].reason) == (job, "logic changed")
    assert (gone.row, gone.standing, gone.jobs) == (None, lineage.REMOVED, [job])
    assert [act.action for act in gone.acts] == ["reprocess"]

    by = uuid4()
    house.roll_back(job, by=by)
    back = told(house, "2")
    assert back.row and back.row.load_run_file_id == old and back.maker and back.maker.makes
    assert back.links[new].taken_back_by == by and back.links[old].live and not back.links[new].live
    assert back.jobs == [job, by]


def test_a_key_that_is_not_there_is_told_why(house: House):
    run = house.deliver("20260105", row("1", seen="x"), row("2"))
    assert told(house, "1").standing == lineage.REJECTED
    assert told(house, "1").records[0].problems == ("seen_on: not a date",)
    assert told(house, "nobody").standing == lineage.UNKNOWN
    house.write("20260105", row("1"))
    house.reprocess(run)
    house.connection.execute("DELETE FROM restage.before_images")
    assert told(house, "2").standing == lineage.REPLACED
    with pytest.raises(NotAKeyError, match="visit_id is empty"):
        told(house, "")


def test_of_two_records_of_a_key_in_a_file_it_is_the_one_that_won(house: House):
    house.deliver("20260105", row("1", fee="1", updated="2026-01-03"), row("1", fee="2", updated="2026-01-02"))
    found = told(house, "1")
    assert found.maker and (found.maker.record_no, found.maker.makes) == (1, True)
    assert [(r.record_no, r.makes) for r in found.records] == [(1, True), (2, False)]


def test_a_pinned_row_names_its_restore(house: House):
    run = house.deliver("20260105", row("1", fee="1"))
    kept = archive(house, run)
    house.write("20260105", row("1", fee="2"))
    house.reprocess(run)
    restore(house, kept, on_newer="overwrite")
    found = told(house, "1")
    assert found.pin and found.pin.set_id == kept and found.pin.job_id in found.jobs
    assert found.maker and found.maker.makes and not found.maker.in_force


def test_records_that_others_loaded_are_found_by_what_they_say(house: House):
    house.deliver("20260105", row("1"), row("2", note="that one"))
    house.connection.execute("UPDATE raw.visits SET record_no = NULL, line_no = NULL")
    found = told(house, "2")
    assert found.maker and found.maker.line_no is None
    there = place(house, found)
    assert (there.verdict, there.record_no, there.line_no) == (SAME, 2, 3)
    path = house.folder / "a_visits_20260105.csv"
    path.write_text(path.read_text() + "\n")
    assert place(house, found).verdict == CHANGED
    path.unlink()
    assert (place(house, found).verdict, "not in" in place(house, found).told) == (GONE, True)


def test_forward_every_key_of_a_run_has_one_fate(house: House):
    first = house.deliver("20260105", row("1"), row("2"), row("3", seen="x"), row("1", fee="8"), row("", note="none"))
    second = house.deliver("20260112", row("2", fee="9"))
    (link,), (later,) = chains.of_run(house.connection, first), chains.of_run(house.connection, second)
    fate = fates.of_files(house.connection, house.visits, [link])
    assert (fate.records, fate.keys, fate.alive, fate.absent) == (5, 3, 1, 1)
    assert fate.replaced == {later.load_run_file_id: 1} and fate.in_staging == 1
    stood = fates.standings(house.connection, house.visits, link.load_run_file_id, after=1, most=2)
    assert [(s.record_no, s.line_no, s.masked, s.owner) for s in stood] == [
        (2, 3, ["9"], later.load_run_file_id),
        (3, 4, ["9"], None),
    ]
    assert stood[1].rejected == ["seen_on: not a date"]
    house.write("20260105", row("1", fee="8"), row("2"))
    (new,) = house.reprocess(first)[1]["files"].values()
    again = chains.of_files(house.connection, [new])[new]
    assert fates.of_files(house.connection, house.visits, [again]).kept == {link.load_run_file_id: 1}
    house.connection.execute("DELETE FROM raw.visits WHERE load_run_file_id = %s", [link.load_run_file_id])
    assert fates.of_files(house.connection, house.visits, [link]).owned == 1
