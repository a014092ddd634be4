"""What is out of date is found, with the component that differs; what is not is left alone; and the sums add up."""

from dataclasses import replace
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import database
from tests.house import HEADER, House, row
from warehouse import adoption, attempts, builds, code, freshness, redelivery
from warehouse.differences import between, way_of
from warehouse.registry import Column, Rule
from warehouse.reprocess import Work

DEAR = Rule("fee", "range", "", (0, 100), "reject", "dear")


def declare(house: House, **changes) -> None:
    """Give the house another version of the visits' declaration."""
    house.registry = house.registry.with_versions({"Visits": replace(house.visits, **changes)})


def retype(house: House, column: Column):
    return tuple(column if old.name == column.name else old for old in house.visits.columns)


def look(house: House) -> freshness.Found:
    found = freshness.find(house.connection, house.registry)
    assert found.live == found.current + found.unknown + found.undeclared + found.outdated
    return found


def told(house: House) -> list[tuple[str, tuple[str, ...], int]]:
    return [(group.way, group.told, group.files) for group in look(house).groups]


def live(house: House) -> list[int]:
    found = house.connection.execute(
        "SELECT load_run_file_id FROM etl.load_run_files"
        " WHERE superseded_at IS NULL AND status = 'completed' ORDER BY 1"
    ).fetchall()
    return [number for (number,) in found]


def refold(house: House, *files: int):
    return house.reprocess(uuid4(), work=Work(refold=files or tuple(live(house))))[1]


def test_what_was_just_loaded_is_current(house: House):
    house.deliver("20260105", row("1"))
    assert (look(house).live, look(house).current, told(house)) == (1, 1, [])


@pytest.mark.parametrize(
    ("changes", "way", "said"),
    [
        ({"rules": (DEAR,)}, "raw", "rule on fee added"),
        ({"record_updated_at": None}, "raw", "precedence changed: the record's own update time is none any more"),
        ({"natural_key": ("visit_id", "note")}, "by hand", "natural key changed"),
        ({"title": "All visits."}, "nothing", "the title changed"),
        ({"rules": (replace(DEAR, severity="warn"),)}, "nothing", "rule on fee: only its warnings or words changed"),
        ({"file_name": "x"}, "nothing", "the pattern of file names changed, for files that come later"),
        ({"time_zone": "Asia/Tokyo"}, "nothing", "the time zone became Asia/Tokyo"),
        ({"depends_on": ("Calls",)}, "nothing", "what it depends on changed"),
    ],
)
def test_the_component_that_differs_is_named(house: House, changes, way, said):
    found = between(house.visits, replace(house.visits, **changes))
    assert (way_of(found), [difference.told for difference in found]) == (way, [said])


@pytest.mark.parametrize(
    ("column", "way", "said"),
    [
        (Column("fee", "numeric(12,2)"), "raw", "column fee became numeric(12,2)"),
        (Column("fee", "numeric(10,2)", required=True), "raw", "column fee is required now"),
        (Column("fee", "numeric(10,2)", default="0"), "raw", "column fee has another default"),
        (Column("fee", "numeric(10,2)", invalid="null"), "raw",
         "a value of column fee that is not of its type now makes the value empty"),
        (Column("note", "text", cast="lower"), "raw", "column note is cast otherwise"),
        (Column("note", "file only"), "raw", "column note became file only"),
    ],
)  # fmt: skip
def test_a_changed_column_is_named(house: House, column, way, said):
    found = between(house.visits, replace(house.visits, columns=retype(house, column)))
    assert (way_of(found), [difference.told for difference in found]) == (way, [said])


def test_what_changes_the_reading_needs_the_files(house: House):
    visits = house.visits
    for changes, said in (
        ({"format": replace(visits.format, encoding="latin-1")}, "the file format changed: encoding"),
        ({"columns": visits.columns[:-1]}, "column updated_at left the file"),
        ({"columns": (*visits.columns, Column("ward", "text"))}, "column ward was added to the file"),
        ({"columns": visits.columns[::-1]}, "the order of the file's columns changed"),
    ):
        found = between(visits, replace(visits, **changes))
        assert (way_of(found), said in [difference.told for difference in found]) == ("files", True)


def test_a_rule_makes_its_extract_outdated_until_it_is_folded_again(house: House):
    house.deliver("20260105", row("1", fee="11"), row("2", fee="500"))
    house.deliver("20260106", row("3"))
    declare(house, rules=(DEAR,))
    assert told(house) == [("raw", ("rule on fee added",), 2)]
    first, second = live(house)
    refold(house, first)
    assert told(house) == [("raw", ("rule on fee added",), 1)]
    assert sorted(house.staged()) == ["1", "3"]
    outcome = refold(house, second)
    assert outcome["tables"]["visits"]["updated"] == 0, "a change that reaches no row is over with the fold"
    assert (told(house), look(house).current) == ([], 2)


def test_only_a_title_leaves_everything_current_with_a_word(house: House):
    house.deliver("20260105", row("1"))
    declare(house, title="Visits to the practice.")
    found = look(house)
    assert (found.current, [(note.told, note.files) for note in found.notes]) == (1, [(("the title changed",), 1)])


def test_another_transform_code_is_noticed_and_its_words_are_not(house: House, monkeypatch):
    house.deliver("20260105", row("1"))
    monkeypatch.setattr(code, "folding", lambda: "other")
    assert told(house) == [("raw", ("the transform code changed",), 1)]
    refold(house)
    assert told(house) == []
    monkeypatch.setattr(code, "reading", lambda: "other")
    assert told(house) == [("files", ("the code that reads files changed",), 1)]


def test_comments_docstrings_annotations_and_format_have_no_meaning():
    one = 'def f(a: int) -> int:\n    """Doc."""\n    return a + 1  # one more\n'
    same = "def f(\n    a,\n):\n    return (a + 1)\n"
    assert code.meaning(one) == code.meaning(same)
    assert code.meaning(one) != code.meaning(one.replace("+ 1", "+ 2"))
    assert code.meaning("def f():\n    '''Doc.'''\n") != code.meaning("def f():\n    return 'Doc.'\n")


def test_a_refold_does_not_hide_that_files_must_be_read_again(house: House):
    house.deliver("20260105", row("1"))
    declare(house, format=replace(house.visits.format, encoding="latin-1"), rules=(DEAR,))
    assert told(house) == [("files", ("the file format changed: encoding", "rule on fee added"), 1)]
    refold(house)
    assert told(house) == [("files", ("the file format changed: encoding",), 1)]


def test_attempts_of_before_are_unknown_until_they_are_folded(house: House):
    house.deliver("20260105", row("1"))
    house.deliver("20260106", row("2"))
    house.connection.execute("DELETE FROM restage.builds WHERE load_run_file_id = %s", [live(house)[0]])
    found = look(house)
    assert (found.unknown, found.current, [group.way for group in found.unknowns]) == (1, 1, ["raw"])
    refold(house)
    assert (look(house).unknown, look(house).current) == (0, 2)


def test_what_nothing_declares_is_counted(house: House):
    house.deliver("20260105", row("1"))
    house.connection.execute("UPDATE etl.load_run_files SET extract_type = 'Gone'")
    assert (look(house).live, look(house).undeclared) == (1, 1)


def test_a_version_of_a_declaration_is_kept_once(house: House):
    for day in ("20260105", "20260106"):
        house.deliver(day, row("1"))
    declare(house, title="Other.")
    house.deliver("20260107", row("2"))
    kept = builds.declarations(house.connection)
    assert {extract.title for extract in kept.values()} == {"Visits.", "Other."}
    assert kept[house.visits.digest] == house.visits


def test_a_rolled_back_job_leaves_the_former_attempt_folded_anew(house: House):
    run = house.deliver("20260105", row("1", fee="500"), row("2"))
    job, _outcome = house.reprocess(run)
    declare(house, rules=(DEAR,))
    house.roll_back(job)
    assert (told(house), sorted(house.staged()), house.violations()) == ([], ["2"], 0)


def test_files_of_active_jobs_are_counted_and_not_taken(house: House):
    run = house.deliver("20260105", row("1"))
    house.deliver("20260106", row("2"))
    declare(house, rules=(DEAR,))
    (group,) = freshness.find(house.connection, house.registry, held=[run]).groups
    assert (group.files, group.taken, group.runs) == (2, 1, 1)
    again, files = freshness.members(house.connection, house.registry, "Visits", group.mark, [run])
    assert (again, [file.load_run_file_id for file in files]) == (group, [live(house)[1]])


def rewrite(house: House, text: bytes, day: str = "20260105") -> None:
    (house.folder / f"a_visits_{day}.csv").write_bytes(text)


def compare(house: House) -> redelivery.Compared:
    found = redelivery.compare(house.connection, house.registry)
    assert found.files == found.verdicts.total()
    return found


ONE, TWO = b"1,2026-01-05,10,,", b"2,2026-01-05,10,a b,"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (b"\n".join([HEADER.encode(), ONE, TWO, b""]), "same"),
        (b"\r\n".join([HEADER.encode(), ONE, TWO, b""]), "cosmetic"),
        (b"\n".join([HEADER.encode(), b'"1",2026-01-05,"10",,', TWO]), "cosmetic"),
        (b"\xef\xbb\xbf" + b"\n".join([HEADER.encode(), ONE, TWO]), "cosmetic"),
        ("\n".join([HEADER, ONE.decode(), TWO.decode()]).encode("utf-16"), "cosmetic"),
        (b"\n".join([HEADER.encode(), TWO, ONE]), "reordered"),
        (b"\n".join([HEADER.encode(), ONE, TWO.replace(b"10", b"11")]), "changed"),
        (b"\n".join([HEADER.encode(), ONE]), "changed"),
        (b"nonsense", "unreadable"),
        (None, "missing"),
    ],
)
def test_a_file_delivered_anew_is_told_from_one_that_says_something_else(house: House, text, verdict):
    house.deliver("20260105", row("1"), row("2", note="a b"))
    if text is None:
        (house.folder / "a_visits_20260105.csv").unlink()
    else:
        rewrite(house, text)
    assert dict(compare(house).verdicts) == {verdict: 1}
    files = [("files", ("the file was delivered anew with other content",), 1)]
    assert told(house) == (files if verdict == "changed" else [])


def test_another_order_counts_where_a_key_occurs_twice(house: House):
    house.deliver("20260105", row("1", fee="10"), row("1", fee="20"))
    house.write("20260105", row("1", fee="20"), row("1", fee="10"))
    assert dict(compare(house).verdicts) == {"changed": 1}


def test_a_reprocessed_file_is_compared_with_its_new_attempt(house: House):
    run = house.deliver("20260105", row("1"))
    house.write("20260105", row("1", fee="11"))
    compare(house)
    house.reprocess(run)
    assert told(house) == []
    assert dict(compare(house).verdicts) == {"same": 1}


def test_comparing_stops_in_time_and_goes_on_where_it_was(house: House):
    house.deliver("20260105", row("1"))
    house.deliver("20260106", row("2"))
    house.write("20260107", row("3"))
    found = redelivery.compare(house.connection, house.registry, seconds=0)
    assert (found.files, found.left, found.not_loaded) == (0, 2, 1)
    assert redelivery.last(house.connection)[:2] == (0, 2)
    compare(house)
    assert redelivery.last(house.connection)[:2] == (2, 2)


OVER_SELECTED = {
    "rule on fee added", "rule on fee changed", "rule on fee removed",  # no record of the file meets it
    "the file was delivered anew with other content",  # what changed in it does not reach staging
}  # fmt: skip
EDITS = st.lists(
    st.tuples(
        st.sampled_from(
            ["rule", "title", "warn", "cosmetic", "order", "row", "deliver", "refold", "reprocess", "back"]
        ),
        st.integers(0, 5),
    ),
    max_size=9,
)


def edit(house: House, kind: str, number: int, jobs: list[UUID]) -> None:
    files = attempts.of_ids(house.connection, live(house))
    file = files[number % len(files)]
    path = house.folder / file.s3_key
    lines = path.read_text("utf-8-sig").splitlines()
    match kind:
        case "rule":
            declare(house, rules=(replace(DEAR, values=(0, (9, 15, 25, 100)[number % 4])),) if number else ())
        case "title":
            declare(house, title=f"Visits {number}.")
        case "warn":
            declare(house, rules=(*(r for r in house.visits.rules if r.severity == "reject"),
                                  replace(DEAR, severity="warn", values=(0, number))))  # fmt: skip
        case "cosmetic":
            path.write_bytes("\r\n".join(lines).encode("utf-8-sig" if number % 2 else "utf-8"))
        case "order":
            path.write_text("\n".join([lines[0], *reversed(lines[1:]), ""]))
        case "row":
            path.write_text("\n".join([*lines[:-1], ",".join(row(str(number), fee=str(number * 7))), ""]))
        case "deliver":
            house.deliver(f"2026020{number + 1}", row(str(number), fee="30"), row("9"), org=f"n{len(jobs)}{len(files)}")
        case "refold":
            refold(house, file.load_run_file_id)
        case "reprocess":
            jobs.append(house.reprocess(file.load_run_id)[0])
        case "back" if jobs:
            house.roll_back(jobs.pop())


def changed(house: House, file: int) -> bool:
    """Whether reading the file again with everything in force now would write a row."""
    (attempt,) = attempts.of_ids(house.connection, [file])
    prepared = house.prepare(Work(files={file: attempt.address.content()}))
    return prepared.diffs["visits"].counts.written > 0


def flagged(house: House) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for group in look(house).groups:
        for file in freshness.members(house.connection, house.registry, group.extract, group.mark)[1]:
            found[file.load_run_file_id] = set(group.told)
    return found


@given(edits=EDITS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_a_full_rebuild_would_change_is_flagged_whatever_was_edited(template, extracts, tmp_path, edits):
    with database(template) as url, psycopg.connect(url, autocommit=True) as connection:
        house = House(connection, extracts, tmp_path / connection.info.dbname)
        house.deliver("20260105", row("1", fee="10"), row("2", fee="20"), row("3", fee="30"))
        house.deliver("20260106", row("2", fee="22"), row("4", fee="8"), row("4", fee="9"))
        house.deliver("20260107", row("5", fee="16"))
        jobs: list[UUID] = []
        for kind, number in edits:
            edit(house, kind, number, jobs)
        compare(house)
        found = flagged(house)
        missed = [file for file in live(house) if file not in found and changed(house, file)]
        assert missed == []
        over = {said for file, words in found.items() if not changed(house, file) for said in words}
        assert over <= OVER_SELECTED
        for file in found:
            (attempt,) = attempts.of_ids(connection, [file])
            house.reprocess(uuid4(), work=Work(files={file: attempt.address.content()}))
        compare(house)
        assert (flagged(house), house.violations()) == ({}, 0)


def test_a_changed_natural_key_waits_for_a_hand_and_is_folded_then(house: House):
    house.deliver("20260105", row("1", note="a"), row("1", note="b"))
    declare(house, natural_key=("visit_id", "note"))
    assert told(house) == [("by hand", ("natural key changed",), 1)]
    house.connection.execute("DROP INDEX stg.visits_natural_key_idx")
    adoption.apply(house.connection, house.registry)
    assert told(house) == [("raw", ("natural key changed",), 1)]
    assert refold(house)["tables"]["visits"]["inserted"] == 1
    assert (told(house), house.violations()) == ([], 0)
