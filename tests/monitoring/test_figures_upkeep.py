"""When figures are refreshed, and the filters of lists to which they link."""

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from jobs import upkeep
from jobs.models import Job, Plan
from monitoring import figures_upkeep
from tests.house import House
from tests.monitoring import loads
from warehouse import figures

pytestmark = pytest.mark.django_db(databases="__all__")


def version(house: House) -> int:
    found = figures.state(house.connection)
    return found.version if found else 0


def test_a_worker_refreshes_and_compares_once_a_night(console, monkeypatch):
    now = timezone.now()
    loads.run(console.connection, now)
    figures_upkeep.by_the_clock(now)
    assert version(console) == 1
    with console.connection.transaction():
        console.connection.execute("SET LOCAL session_replication_role = replica")
        loads.run(console.connection, now)
    figures_upkeep.by_the_clock(now + timedelta(hours=1))
    assert version(console) == 1
    figures_upkeep.by_the_clock(now + timedelta(hours=37))
    assert version(console) == 2
    assert any(regular._act is figures_upkeep.by_the_clock for regular in upkeep._known)


def test_a_look_refreshes_what_is_little_and_late_and_leaves_the_rest_to_a_worker(console, monkeypatch):
    now = timezone.now()
    late = now + timedelta(minutes=1)

    def looked(at: datetime) -> tuple[int, int]:
        found = figures_upkeep.on_view(console.connection, at)
        assert found
        return found.version, found.days

    loads.run(console.connection, now)
    assert looked(now) == (1, 0)
    monkeypatch.setattr(figures, "SMALL_BYTES", -1)
    loads.run(console.connection, now)
    assert looked(now) == (1, 1)  # a worker has just been there
    assert looked(late) == (2, 0)
    for days in range(20):
        loads.run(console.connection, now - timedelta(days=days))
    assert looked(late) == (2, 20)


def test_a_role_that_may_only_read_is_shown_what_there_is(console):
    now = timezone.now()
    loads.run(console.connection, now)
    assert figures_upkeep.on_view(console.connection, now)
    loads.run(console.connection, now)
    console.connection.execute("SET default_transaction_read_only = on")
    found = figures_upkeep.on_view(console.connection, now + timedelta(hours=1))
    assert found and (found.version, found.days) == (1, 1)


def test_a_loader_goes_on_where_nothing_can_be_noted(console):
    console.connection.execute("DROP TABLE restage.figures_stale")
    made = loads.run(console.connection, timezone.now())
    loads.file(console.connection, made, timezone.now())
    assert console.connection.execute("SELECT count(*) FROM etl.load_run_files").fetchone() == (1,)


def test_runs_are_listed_by_the_practice_and_extract_of_one_file(console, as_):
    at = timezone.now()
    made = loads.run(console.connection, at)
    loads.file(console.connection, made, at, practice="p1")
    loads.file(console.connection, made, at, practice="p2", extract="Calls")
    client = as_("viewer")

    def found(query: str) -> int:
        return int(client.get(f"/runs/?{query}").context["page"].paginator.count)

    asked = ("practice=p1", "practice=p3", "practice=p2&extract=Calls", "practice=p1&extract=Calls")
    assert [found(query) for query in asked] == [1, 0, 1, 0]


def test_jobs_are_listed_by_kind_table_and_days(console, as_, people):
    about: dict[str, dict[str, Any]] = {"reprocess": {"visits": {}}, "drill": {}}
    for kind, tables in about.items():
        plan = Plan.objects.create(kind=kind, reason="x", options={}, preview={"tables": tables, "records": 1})
        Job.objects.create(plan=plan, kind=kind, state="failed", requested_by=people["operator"])
    client, today = as_("viewer"), timezone.localdate().isoformat()

    def found(query: str) -> int:
        return int(client.get(f"/jobs/?{query}").context["page"].paginator.count)

    asked = ("", "kind=drill", "table=visits", "table=calls", f"since={today}", "until=2020-01-01", "state=failed")
    assert [found(query) for query in asked] == [2, 1, 1, 0, 2, 0, 2]
    assert "before the first one" in client.get("/jobs/?since=2026-02-02&until=2026-01-01").content.decode()
    assert client.get("/jobs/?table='; DROP&kind=no").status_code == 200


def test_the_triggers_need_no_right_of_the_loader(console, warehouse_url):
    connection = console.connection
    connection.execute("DROP ROLE IF EXISTS figures_loader")
    connection.execute("CREATE ROLE figures_loader")
    try:
        connection.execute("GRANT USAGE ON SCHEMA etl TO figures_loader")
        connection.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA etl TO figures_loader")
        with psycopg.connect(warehouse_url, autocommit=True) as loader:
            loader.execute("SET ROLE figures_loader")
            loads.run(loader, timezone.now())
        assert connection.execute("SELECT count(*) FROM restage.figures_stale").fetchone() == (1,)
    finally:
        connection.execute("DROP OWNED BY figures_loader")
        connection.execute("DROP ROLE figures_loader")
