"""`manage.py lineage`: words and JSON, wrong usage, and keys that are not there."""

from pathlib import Path

import pytest

from audit.models import Event
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")


def test_a_row_leads_to_file_line_run_and_people(console: House, told):
    run = console.deliver("20260105", row("1", note="x"), row("2"))
    found = told("lineage", "stg.visits", "2", "--check", "--purpose", "a complaint")
    assert (Path(found["file"]).name, found["line"], found["record"]) == ("a_visits_20260105.csv", 3, 2)
    assert (found["load_run"], found["checked_file"]["verdict"]) == (str(run), "as loaded")
    assert Path(found["file"]).read_bytes()[found["byte"] :].startswith(b"2,")
    forward = told("lineage", "--run", str(run))
    assert (forward["rows_alive"], forward["tables"]["stg.visits"]["keys"]) == (2, 2)
    assert told("lineage", "--file", str(forward["files"][0]["file"]))["load_runs"] == [str(run)]
    event = Event.objects.get(action="row traced")
    assert (event.subject, event.reason) == ("table:visits", "a complaint")
    assert "key_hash" in event.detail and "2" not in event.detail.values()


@pytest.mark.parametrize(
    ("words", "code", "told_so"),
    [
        (["patient", "1"], 2, "There is no table patient in staging. Known: "),
        (["visits"], 2, "has 1 parts, visit_id; 0 were given"),
        (["visits", "1", "2"], 2, "2 were given"),
        ([], 2, "Name a table and a natural key"),
        (["visits", "1", "--run", "00000000-0000-0000-0000-000000000000"], 2, "Name a table"),
        (["--run", "00000000-0000-0000-0000-000000000000"], 1, "no load run"),
        (["--file", "77"], 1, "no file 77"),
        (["visits", ""], 1, "visit_id is empty"),
        (["visits", "9"], 1, "ever named it"),
        (["visits", "\udcff"], 1, "is no text"),
        (["visits", "1", "--purpose", " "], 2, "say why"),
    ],
)
def test_what_cannot_be_followed_is_answered_in_words(told, words, code, told_so):
    assert told_so in told("lineage", *words, code=code)["error"]
