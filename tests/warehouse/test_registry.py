"""Declarations are data: the shipped ones are whole, and a wrong one is refused with file, line and reason."""

from pathlib import Path

import pytest

from warehouse import registry
from warehouse.declarations import DeclarationError

GOOD = """# Visits.
extract = "Visits"
table = "visits"
natural_key = ["visit_id"]
depends_on = []
format = "csv"
file_name = 'visits_(?P<extracted>\\d{8})\\.csv'
extracted_format = "%Y%m%d"

[columns]
visit_id = "text"
seen_on = "date required"
fee = { type = "numeric(10,2)", default = "0" }
"""

WIDTHS = {
    "Patient": 220, "Appointments": 64, "Provider": 121, "PracticeInfo": 41, "Medicine": 11, "Vaccine": 13,
    "Immunisation": 65, "Diagnosis": 50, "Allergies": 56, "AppointmentMedications": 91, "Inbox": 51, "InboxDetail": 19,
    "Invoices": 28, "InvoiceDetail": 49, "Measurements": 145, "NextOfKin": 28, "PatientAlerts": 32, "Recalls": 30,
    "DengueCases": 9,
}  # fmt: skip


def test_every_shipped_extract_has_the_width_of_its_file():
    assert {extract.name: len(extract.columns) for extract in registry.current().extracts} == WIDTHS


def test_what_others_depend_on_comes_first():
    order = [extract.name for extract in registry.current().extracts]
    for extract in registry.current().extracts:
        assert all(order.index(name) < order.index(extract.name) for name in extract.depends_on)


def test_a_new_extract_needs_no_python(tmp_path: Path):
    (tmp_path / "visits.toml").write_text(GOOD)
    found = registry.load([registry.SHIPPED, tmp_path]).of_file("visits_20260131.csv")
    assert found is not None
    extract, match = found
    assert (extract.title, extract.extracted_at(match).isoformat()) == ("Visits.", "2026-01-31T00:00:00+00:00")


def test_an_impossible_extraction_day_is_refused(tmp_path: Path):
    (tmp_path / "visits.toml").write_text(GOOD)
    extract, match = registry.load([registry.SHIPPED, tmp_path]).of_file("visits_20260231.csv") or pytest.fail()
    with pytest.raises(ValueError, match="day is out of range"):
        extract.extracted_at(match)


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ('fee = { type = "numeric(10,2)"', 'fee = { type = "money"', 13, "unknown type 'money'"),
        ('seen_on = "date required"', 'seen on = "date"', 12, "not TOML"),
        ('seen_on = "date required"', '"seen; drop" = "date"', 12, "cannot be a column"),
        ('seen_on = "date required"', 'load_ts = "date"', 12, "cannot be a column"),
        ('natural_key = ["visit_id"]', 'natural_key = ["seen_on"]', 4, "must be a text column"),
        ('depends_on = []', 'depends_on = ["Visitors"]', 5, "there is no extract Visitors"),
        ('depends_on = []', 'depends_on = ["Visits"]', 5, "a circle: Visits → Visits"),
        ('format = "csv"', 'format = "xml"', 6, "there is no format xml"),
        ('(?P<extracted>\\d{8})', '(?P<when>\\d{8})', 7, "is missing"),
        ('(?P<extracted>\\d{8})', '(?P<extracted>\\d{8}', 7, "not a regular expression"),
        ('table = "visits"', 'table = "patients"', 3, "belongs to"),
        ('extract = "Visits"', 'extract = "Patient"', 2, "is declared in"),
        ('table = "visits"', 'table = "visits"\ncolour = "red"', 4, "colour means nothing here"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_refused_with_file_line_and_reason(tmp_path: Path, old, new, line, reason):
    assert old in GOOD
    path = tmp_path / "visits.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(DeclarationError) as refused:
        registry.load([registry.SHIPPED, tmp_path])
    assert str(refused.value).startswith(f"{path}:{line}: ")
    assert reason in str(refused.value)


def test_a_missing_folder_is_refused(tmp_path: Path):
    with pytest.raises(DeclarationError, match="no such folder"):
        registry.load([tmp_path / "nowhere"])
