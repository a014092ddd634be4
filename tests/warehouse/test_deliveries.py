"""Deliveries become load runs: all or nothing a file, nothing twice, and every file that stays out says why."""

import pytest

from tests.house import House, row
from warehouse.sources import MissingFileError


def left_out(report):
    return {entry.key: entry.code for entry in report.left_out}


def test_files_of_one_extraction_time_are_one_run_and_days_come_in_order(house: House):
    house.write("20260112", row("1", fee="2"), org="a")
    house.write("20260105", row("1", fee="1"), org="a")
    house.write("20260105", row("2"), org="b")
    report = house.load()
    assert [(loaded.files, loaded.records) for loaded in report.runs] == [(2, 2), (1, 1)]
    runs = house.connection.execute(
        "SELECT status, total_files_processed, total_rows_ingested, completed_at IS NOT NULL FROM etl.load_runs"
        " ORDER BY created_at"
    ).fetchall()
    assert runs == [("completed", 2, 2, True), ("completed", 1, 1, True)]
    assert house.staged()["1"][0] == "2.00"


def test_trap_8_a_file_that_comes_late_does_not_overwrite_a_newer_one(house: House):
    house.deliver("20260112", row("1", fee="2"))
    house.deliver("20260105", row("1", fee="1"))
    assert house.staged()["1"][0] == "2.00"
    assert house.violations() == 0


def test_the_same_delivery_again_changes_nothing(house: House):
    house.deliver("20260105", row("1"))
    before = house.state()
    report = house.load()
    assert (report.runs, left_out(report)) == ([], {"a_visits_20260105.csv": "loaded"})
    assert house.state() == before


def test_trap_3_changed_content_under_a_known_name_is_not_loaded_over_it(house: House):
    run = house.deliver("20260105", row("1"))
    house.write("20260105", row("1", fee="11"))
    report = house.load()
    assert left_out(report) == {"a_visits_20260105.csv": "changed"}
    assert str(run) in report.left_out[0].reason
    assert house.staged()["1"][0] == "10.00"


def test_a_bad_file_fails_alone_and_its_run_says_so(house: House):
    house.write("20260105", row("1"), org="a")
    (house.folder / "b_visits_20260105.csv").write_text("visit_id,seen_on,fee,note,updated_at\n1,2\n3,4\n")
    (loaded,) = house.load().runs
    assert loaded.failed == {
        "b_visits_20260105.csv": "Not one of its 2 records can be kept; the first: 2 fields instead of 5 (line 2)."
    }
    states = house.connection.execute(
        "SELECT f.status, r.status, (SELECT count(*) FROM raw.visits w WHERE w.load_run_file_id = f.load_run_file_id)"
        " FROM etl.load_run_files f JOIN etl.load_runs r USING (load_run_id) ORDER BY s3_key"
    ).fetchall()
    assert states == [("completed", "completed", 1), ("failed", "completed", 0)], "trap 2: no leftovers in raw"


def test_trap_30_an_empty_file_completes_with_nothing(house: House):
    house.deliver("20260105")
    found = house.connection.execute("SELECT status, rows_read FROM etl.load_run_files").fetchall()
    assert found == [("completed", 0)]


def test_a_record_that_cannot_be_read_is_rejected_with_its_line(house: House):
    path = house.write("20260105", row("1"), row("2"))
    path.write_text(path.read_text() + "3,too,few\n")
    (loaded,) = house.load().runs
    assert (loaded.records, loaded.rejected) == (2, 1)
    found = house.connection.execute("SELECT stage, record_no, line_no, reason FROM restage.rejections").fetchall()
    assert found == [("read", 3, 4, "3 fields instead of 5")]


@pytest.mark.parametrize(
    ("values", "column", "reason", "kind"),
    [
        (row("1", seen="18/08/2025"), "seen_on", "not a date", "date in another form"),
        (row("1", seen="today"), "seen_on", "not a date", "text of 5 characters"),
        (row("1", fee="1e400"), "fee", "not a numeric(10,2)", "text of 5 characters"),
        (row("1", fee="123456789012"), "fee", "not a numeric(10,2)", "integer of 12 digits"),
        (row("1", fee="NaN"), "fee", "not a numeric(10,2)", "text of 3 characters"),
        (row("", fee="1"), "visit_id", "part of the natural key and empty", "empty"),
        (row("1", updated="2026-01-01 25:00"), "updated_at", "not a timestamp", "date in ISO form"),
    ],
)
def test_a_value_that_is_not_of_its_type_rejects_its_row_only(house: House, values, column, reason, kind):
    house.deliver("20260105", values, row("2"))
    assert list(house.staged()) == ["2"]
    found = house.connection.execute("SELECT column_name, reason, value_class FROM restage.rejections").fetchall()
    assert found == [(column, reason, kind)]
    assert house.violations() == 0
    read, done, rejected = house.connection.execute(
        "SELECT total_rows_read, total_rows_transformed, total_rows_rejected FROM etl.staging_runs"
    ).fetchone() or (0, 0, 0)
    assert (read, done, rejected) == (2, 1, 1)


def test_each_bad_value_of_a_record_is_told_with_what_it_looks_like(house: House):
    house.deliver("20260105", row("1", seen="today", fee="much"), row("2"))
    found = house.connection.execute("SELECT column_name, value_class FROM restage.rejections ORDER BY 1").fetchall()
    assert found == [("fee", "text of 4 characters"), ("seen_on", "text of 5 characters")]


def test_values_reach_raw_as_they_stand(house: House):
    odd = ' a\\b\\N "q" \t|^^ \\. ā '
    (house.folder / "a_visits_20260105.csv").write_text(
        'visit_id,seen_on,fee,note,updated_at\n1,,,"{}",\n2,,,"line\r\nline",\n'.format(odd.replace('"', '""')),
        newline="",
    )
    house.load()
    found = house.connection.execute("SELECT note, seen_on FROM raw.visits ORDER BY record_no").fetchall()
    assert found == [(odd, ""), ("line\r\nline", "")]


def test_files_that_nothing_declares_are_named(house: House):
    (house.folder / "notes.txt").write_text("x")
    (house.folder / "a_visits_20269999.csv").write_text("x")
    assert left_out(house.load()) == {"notes.txt": "unknown", "a_visits_20269999.csv": "misdated"}


def test_no_value_of_a_row_reaches_an_error(house: House):
    house.connection.execute("ALTER TABLE stg.visits ADD CONSTRAINT no_secret CHECK (note <> 'secret')")
    house.write("20260105", row("1", note="secret"))
    (loaded,) = house.load().runs
    (told,) = loaded.failed.values()
    assert "secret" not in told.replace("no_secret", "")
    assert "no_secret" in told
    assert house.staged() == {}


def test_a_folder_that_is_not_there_is_told(house: House):
    house.folder.rename(house.folder.with_name("elsewhere"))
    with pytest.raises(MissingFileError):
        house.load()
