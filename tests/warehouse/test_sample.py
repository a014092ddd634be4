"""The demo warehouse: its files are what the extracts declare, every situation is there, and nobody in it exists."""

import filecmp
import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from warehouse import registry, sample, wire
from warehouse.functions import DATE_TIME, INTEGER, NUMERIC
from warehouse.sample.flaws import last_clock_change

ROWS, ENDING = 8_000, date(2025, 11, 23)
SHAPES = {"integer": INTEGER, "numeric": NUMERIC, "date": DATE_TIME, "timestamp": DATE_TIME, "timestamptz": DATE_TIME}
NAMES = [
    *("full baseline", "second practice", "delta", "redelivered", "wrong width", "daylight saving"),
    *("one failed file", "rejections", "zero rows", "reprocessed twice", "duplicate key", "bad logic", "rolled back"),
    *("delta", "late", "cancelled", "delta", "stuck"),
]


def extract_of(path):
    found = registry.current().of_file(path.name)
    assert found, path.name
    return found[0]


def read(path):
    with path.open("rb") as file:
        return list(wire.records(file, extract_of(path)))


def rows(path):
    names = [column.name for column in extract_of(path).columns]
    return [dict(zip(names, item.fields, strict=True)) for item in read(path) if isinstance(item, wire.Record)]


def delivered(deliveries, *names):
    """(extract, practice) → rows, of the deliveries of these names."""
    chosen = [delivery for delivery in deliveries if delivery.name in names]
    return {(extract_of(path).name, path.name[7:10]): rows(path) for delivery in chosen for path in delivery.files}


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    return sample.write(tmp_path_factory.mktemp("sample"), registry.current(), rows=ROWS, ending=ENDING)


@pytest.fixture(scope="module")
def everything(deliveries):
    """(delivery, file name) → records."""
    return {
        (delivery.name, path.name): read(path)
        for delivery in deliveries
        for path in delivery.files
        if delivery.name != "redelivered"
    }


def good(everything, extract):
    names = [column.name for column in registry.current()[extract].columns]
    for (delivery, name), records in everything.items():
        if f"_{extract}_" in name and delivery != "rejections":
            yield from (dict(zip(names, item.fields, strict=True)) for item in records if isinstance(item, wire.Record))


def test_every_situation_is_delivered_on_its_day(deliveries):
    assert [delivery.name for delivery in deliveries] == NAMES
    newest = max(delivery.extracted for delivery in deliveries)
    assert (newest.date(), newest.hour, newest.minute) == (ENDING, 12, 30)
    assert {delivery.extracted.tzinfo for delivery in deliveries} == {ZoneInfo("Pacific/Auckland")}
    sundays = {delivery.extracted.date() for delivery in deliveries if delivery.extracted.weekday() == 6}
    assert sundays == {ENDING - timedelta(weeks=week) for week in range(12)}


def test_a_folder_holds_its_delivery_only_and_names_tell_when_it_was_extracted(deliveries):
    for delivery in deliveries:
        assert set(delivery.folder.iterdir()) == set(delivery.files)
        for path in delivery.files:
            extract = extract_of(path)
            name = extract.match(path.name)
            assert extract.extracted_at(name) == delivery.extracted
            assert name["per_org_id"] == "685146" and name["practice_id"] in ("535", "545")


def test_all_records_fit_but_those_of_the_files_of_wrong_width(everything):
    misfits: Counter[str] = Counter()
    for (delivery, name), records in everything.items():
        bad = sum(isinstance(item, wire.Malformed) for item in records)
        assert bad in (0, len(records)), name
        misfits[delivery] += bool(bad)
    assert +misfits == {"wrong width": 1, "one failed file": 1}


@pytest.mark.parametrize("wanted", [2_000, 20_000])
def test_there_are_about_as_many_rows_as_asked_for(wanted, tmp_path):
    made = sample.write(tmp_path, registry.current(), rows=wanted, ending=ENDING)
    separator = registry.current()["Patient"].format.record_separator.encode("utf-16-le")
    total = sum(path.read_bytes().count(separator) for delivery in made for path in delivery.files)
    assert 0.8 * wanted <= total <= 1.2 * wanted


def test_the_same_question_gives_the_same_bytes_and_another_seed_others(deliveries, tmp_path):
    for seed, same in ((1, True), (2, False)):
        again = sample.write(tmp_path / str(seed), registry.current(), rows=ROWS, ending=ENDING, seed=seed)
        for one, other in zip(deliveries, again, strict=True):
            assert [path.name for path in one.files] == [path.name for path in other.files]
            equal, _different, _errors = filecmp.cmpfiles(
                one.folder, other.folder, [path.name for path in one.files], shallow=False
            )
            assert (len(equal) == len(one.files)) is same or one.name == "zero rows"


def test_a_written_delivery_is_never_mixed_with_another(deliveries):
    with pytest.raises(FileExistsError):
        sample.write(deliveries[0].folder.parent, registry.current(), rows=ROWS, ending=ENDING)


def test_values_of_good_files_are_of_their_types(everything):
    for (delivery, name), records in everything.items():
        if delivery == "rejections":
            continue
        extract = extract_of(Path(name))
        for place, column in enumerate(extract.columns):
            shape = SHAPES.get(column.type.partition("(")[0], "[01]$" if column.type == "boolean" else "")
            values = {item.fields[place] for item in records if isinstance(item, wire.Record)}
            if column.required or column.name in extract.natural_key:
                assert "" not in values
            if shape and not column.cast and column.invalid == "reject":
                assert not [value for value in values if value and not re.match(shape, value)], column.name


def test_seven_percent_of_the_rows_are_unfit(deliveries):
    found = delivered(deliveries, "rejections")
    for (extract, _practice), delivered_rows in found.items():
        key = registry.current()[extract].natural_key[0]
        assert any(not row[key].strip() for row in delivered_rows), extract
    dates = [row["ac_date"] for row in found["Invoices", "535"]]
    assert 0 < sum(not re.match(DATE_TIME, value) for value in dates) < len(dates) * 0.07


def test_deltas_overwrite_earlier_rows_later_and_bring_new_ones(deliveries):
    before, after = delivered(deliveries, "full baseline"), delivered(deliveries, "bad logic")
    for extract in ("Patient", "Appointments", "Invoices"):
        key = registry.current()[extract].natural_key[0]
        known = {row[key]: row for row in before[extract, "535"]}
        again = [row for row in after[extract, "535"] if row[key] in known]
        assert 0 < len(again) < len(after[extract, "535"])
        assert all(row["updated_at"] > known[row[key]]["updated_at"] for row in again)
        assert all(row["inserted_at"] == known[row[key]]["inserted_at"] for row in again)


def test_a_redelivery_has_the_rows_of_the_delta_before_it_in_other_bytes(deliveries):
    delta, again = deliveries[2:4]
    for one, other in zip(delta.files, again.files, strict=True):
        assert rows(one) == rows(other)
        assert one.name != other.name and one.read_bytes() != other.read_bytes()


def test_one_file_holds_nothing_but_its_byte_order_mark(deliveries):
    zero = next(delivery for delivery in deliveries if delivery.name == "zero rows")
    assert [path.read_bytes() for path in zero.files if "Immunisation" in path.name] == [b"\xff\xfe"]
    assert [bool(read(path)) for path in zero.files].count(True) == 2


def test_a_key_comes_twice_in_a_file_the_same_and_changed(deliveries):
    found = delivered(deliveries, "duplicate key")["Appointments", "535"]
    counts = Counter(row["appointment_id"] for row in found)
    twice = [[row for row in found if row["appointment_id"] == key] for key, count in counts.items() if count == 2]
    assert {one == other for one, other in twice} == {True, False}


def test_a_late_delivery_was_extracted_before_one_that_changed_the_same_rows(deliveries):
    before, late = deliveries[NAMES.index("late") - 1 :][:2]
    assert late.extracted < before.extracted
    older, newer = (
        {
            row["appointment_id"]: row["updated_at"]
            for row in delivered([delivery], delivery.name)["Appointments", "535"]
        }
        for delivery in (late, before)
    )
    assert older.keys() & newer.keys()
    assert all(older[key] < newer[key] for key in older.keys() & newer.keys())


@pytest.mark.parametrize("ending", [ENDING, date(2026, 5, 10), date(2026, 8, 2)])
def test_appointments_stand_in_the_night_of_the_clock_change(ending, tmp_path):
    made = sample.write(tmp_path, registry.current(), rows=2_000, ending=ending)
    night = last_clock_change(ending).isoformat()
    scheduled = {row["schedule_date"] for row in delivered(made, "daylight saving")["Appointments", "535"]}
    assert f"{night} 02:30:00.000" in scheduled


def test_the_practices_share_some_patient_ids_of_different_people(everything):
    people: dict[str, dict[str, str]] = {"535": {}, "545": {}}
    for row in good(everything, "Patient"):
        people[row["practice_id"]][row["patient_id"]] = row["nhi_number"]
    shared = people["535"].keys() & people["545"].keys()
    assert 0 < len(shared) < len(people["545"])
    assert all(people["535"][key] != people["545"][key] for key in shared)


def test_nobody_in_it_exists(everything):
    for extract in ("Patient", "Provider"):
        found = list(good(everything, extract))
        assert all(re.fullmatch(r"Z[A-Z]{2}(\d{4}|\d{2}[A-Z]{2})", row["nhi_number"]) for row in found)
        assert all(row["email"].endswith("@example.org") for row in found)
        assert all(re.fullmatch(r"\+64 21 000 \d{4}", row["cell_number"]) for row in found)
    patients = list(good(everything, "Patient"))
    assert len({row["nhi_number"] for row in patients}) == len({(r["practice_id"], r["patient_id"]) for r in patients})


def test_awkward_values_are_there(everything):
    patients, invoices = list(good(everything, "Patient")), list(good(everything, "Invoices"))
    notes = "".join(row["notes"] for row in patients)
    assert all(mark in notes for mark in ("\n", '"', "|", "^^", "ā"))
    assert any(row["permanent_address_postal_code"].startswith("0") for row in patients)
    assert {"1", "2", "3", "4", "5"} == {row["permanent_address_deprivation_quintile"] for row in patients}
    assert any(row["dob"] > "2026" for row in patients) and any(row["dob"] < "1850" for row in patients)
    assert any(row["total_amount"].startswith("-") for row in invoices)
    statuses = {row["appointment_status"] for row in good(everything, "Appointments")}
    assert statuses == {"Booked", "Arrived", "Completed", "Cancelled", "DNA"}


def test_the_dengue_weeks_are_files_of_their_extract():
    files = sorted(sample.DENGUE.glob("*.csv"))
    assert len(files) == 6
    assert 2_000 <= sum(len(rows(path)) for path in files) <= 6_000
    assert not [item for path in files for item in read(path) if isinstance(item, wire.Malformed)]
