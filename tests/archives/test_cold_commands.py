"""The cold tier by command line, in processes of its own."""

from pathlib import Path

import pytest

from tests import cold
from tests.stack import Stack


def test_the_whole_story_of_a_cold_set(stack: Stack, tmp_path: Path):
    stack.env["RESTAGE_ARCHIVE"] = str(tmp_path / "archive")
    house = stack.house
    set_id = cold.kept(house)
    answer = stack.command("archives", "cool", str(set_id), "--reason", "old", "--drop-hot", "--wait")
    assert (answer["state"], answer["tables"]["visits"]["rows"]) == ("succeeded", 2)
    assert not answer["tables"]["visits"]["hot"] and not cold.part_of(house, set_id).hot
    assert stack.command("archives", "verify", "--all")["verified"] == 1
    assert stack.command("archives", "verify", str(set_id), "--deep")["holds"]
    house.connection.execute("DELETE FROM restage.archive_parts")
    house.connection.execute("DELETE FROM restage.archive_sets")
    assert stack.command("archives", "adopt", "--all")["adopted"] == [
        {"set": str(set_id), "table": "visits", "rows": 2}
    ]
    (tmp_path / "archive" / "aside" / "x").mkdir(parents=True)
    (tmp_path / "archive" / "aside" / "x" / "rows-0001.parquet").write_bytes(b"x")
    (orphan,) = stack.command("archives", "orphans")["files"]
    assert orphan["name"] == "aside/x/rows-0001.parquet" and not orphan["due"]
    assert stack.command("archives", "orphans", "--reap")["files"] == []
    (path,) = (tmp_path / "archive" / "sets").rglob("rows-*")
    path.write_bytes(path.read_bytes()[:-1])
    answer = stack.command("archives", "verify", str(set_id), code=1)
    assert (answer["damaged"], answer["parts"][0]["findings"][0]["verdict"]) == (1, "size")


@pytest.mark.django_db(databases="__all__")
def test_wrong_input_is_answered_in_words(told):
    nobody = "00000000-0000-0000-0000-000000000000"
    assert "no archive set" in told("archives", "verify", nobody, code=1)["error"]
    assert "--all" in told("archives", "verify", code=2)["error"]
    assert "one set" in told("archives", "verify", "--all", "--deep", code=2)["error"]
    assert "no sealed part" in told("archives", "adopt", nobody, code=1)["error"]
    assert "say why" in told("archives", "cool", nobody, "--reason", " ", code=2)["error"]
