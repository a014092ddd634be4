"""What nobody should send, and what is away: answered in words, with nothing done and no fault of Restage."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.test import Client

from api import approvals, archives, jobs, runs, trail
from api.jobs import Jobs
from api.resources import ByCaller
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")
NONE = UUID("6c8c4be4-1128-4355-9aaf-2d27db09a030")
LISTS = ["runs/", "jobs/", "approvals/", "archives/", "audit/events/"]
ODD = ["\x00", "9" * 5000, "' OR 1=1 --", "\U0010ffff", "-1", "1e9", "2026-02-30", "%", "../../etc", ""]


@pytest.fixture(autouse=True)
def _unhurried() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize("path", LISTS)
def test_an_odd_value_of_any_filter_is_answered(console: House, person, path):
    console.deliver("20260105", row("1"))
    filters: dict[str, Any] = {
        "runs/": runs.RunFilters,
        "jobs/": jobs.JobFilters,
        "approvals/": approvals.ApprovalFilters,
        "archives/": archives.ArchiveFilters,
        "audit/events/": trail.EventFilters,
    }
    client = Client()
    client.post("/login/", {"username": "administrator", "password": "pass-word-1"})
    for name in filters[path]().fields:
        for odd in ODD:
            answer = client.get(f"/api/v1/{path}", {name: odd})
            assert answer.status_code in (200, 400), (name, odd, answer.content)


@pytest.mark.parametrize("path", [*LISTS, "schema/", "", f"runs/{NONE}/"])
def test_a_filter_that_is_unknown_or_there_twice_is_refused(console: House, program, path):
    caller = program("administrator", "read")
    assert "stat" in caller.get(path, status=400, stat="failed")["errors"]
    if path in LISTS:
        assert "page" in caller.get(f"{path}?page=1&page=2", status=400)["errors"]


def test_pages_are_bounded_and_turned_by_number(console: House, program):
    for day in range(5, 9):
        console.deliver(f"2026010{day}", row(str(day)))
    caller = program("viewer", "read")
    caller.get("runs/", status=400, size=201)
    first, second = (caller.get("runs/", size=3, page=page) for page in (1, 2))
    assert (first["count"], first["pages"], len(first["results"]), len(second["results"])) == (4, 2, 3, 1)
    assert not {one["id"] for one in first["results"]} & {one["id"] for one in second["results"]}


def test_a_parameter_where_none_is_taken_is_refused(program):
    told = program("operator").send("post", f"jobs/{NONE}/cancel/?force=1", status=400)
    assert "force" in told["errors"]
    told = program("operator").post(f"jobs/{NONE}/cancel/", {"force": True}, status=400)
    assert "force" in told["errors"]


@pytest.mark.parametrize("path", ["nothing/", "jobs", f"jobs/{NONE}", "jobs/x/", "runs/1/", "runs/%0A/"])
def test_an_address_that_is_none_is_answered_as_a_problem(program, path):
    told = program("viewer").get(path, status=404)
    assert ("end with a slash" in told["detail"]) is not path.endswith("/")


def test_a_method_that_is_none_is_answered(program):
    for method in ("put", "patch", "delete", "options"):
        program("administrator").send(method, "jobs/", status=405)


def test_who_asks_too_often_waits_and_nobody_else(program, monkeypatch):
    monkeypatch.setattr(ByCaller, "rate", "2/min")
    hasty, other = program("viewer", "read"), program("viewer", "read")
    for _time in range(2):
        hasty.get("jobs/")
    hasty.get("jobs/", status=429)
    assert 0 < int(hasty.headers["Retry-After"]) <= 60
    other.get("jobs/")


def test_a_warehouse_that_is_away_is_told_and_nothing_is_done(console: House, program, settings):
    settings.WAREHOUSE_URL = "postgresql://127.0.0.1:1/none"
    caller = program("administrator")
    asked = {"kind": "reprocess", "reason": "r", "runs": [str(NONE)]}
    for told in (caller.get("archives/", status=503), caller.post("jobs/", asked, status=503)):
        assert "did not answer" in told["detail"]


def test_a_defect_is_noted_without_a_value_and_told_without_a_traceback(program, monkeypatch, caplog):
    def broken(view: Jobs, *given: object, **named: object) -> None:
        raise ValueError("Zebedee")

    monkeypatch.setattr(Jobs, "get", broken)
    told = program("viewer").get("jobs/", status=500)
    assert "Zebedee" not in str(told) + caplog.text and "ValueError at" in caplog.text
