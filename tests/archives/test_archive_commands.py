"""Archives by command line, in processes of its own."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.house import row
from tests.stack import Stack, eventually
from tests.warehouse.shelf import Shelf


def test_archive_and_cleanup(stack: Stack):
    house, shelf = stack.house, Shelf(stack.house)
    run = house.deliver("20260105", row("1"), row("2"))
    answer = stack.command("archive", str(run), "--reason", "before", "--retention-days", "45", "--wait")
    assert (answer["state"], answer["rows"], answer["tables"]["visits"]["rows"]) == ("succeeded", 2, 2)
    assert answer["load_runs"] == [str(run)]
    old = shelf.keep(run, timezone.now() - timedelta(days=100))
    dry = stack.command("cleanup", "--older-than", "90", "--dry-run")
    assert (dry["state"], dry["count"], dry["removed"]) == ("previewed", 1, 0)
    assert [item["code"] for item in dry["excluded"]] == ["minimum"]
    done = stack.command("cleanup", "--older-than", "90", "--wait")
    assert (done["state"], done["count"], done["removed"], done["rows"]) == ("succeeded", 1, 1, 2)
    assert shelf.part(old).hot is False


@pytest.mark.django_db(databases="__all__")
def test_wrong_input_is_answered_in_words(told):
    nobody = "00000000-0000-0000-0000-000000000000"
    assert "no load run" in told("archive", nobody, "--reason", "x", code=1)["error"]
    assert "say why" in told("archive", nobody, "--reason", " ", code=2)["error"]
    assert "at least" in told("archive", nobody, "--reason", "x", "--retention-days", "3", code=1)["error"]
    assert "0 or more" in told("cleanup", "--older-than", "-1", code=2)["error"]
    assert "There is no table nope" in told("archive", nobody, "--reason", "x", "--tables", "nope", code=2)["error"]


def test_a_worker_makes_the_months_ahead_by_its_clock(stack: Stack):
    stack.worker()
    made = "SELECT to_regclass('stg.visits_archive_default') IS NOT NULL"
    assert eventually(lambda: stack.house.connection.execute(made).fetchone() == (True,))
