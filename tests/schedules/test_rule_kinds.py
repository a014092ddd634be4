"""The kinds of rules: what each of them sees, and how other rooms add theirs."""

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from jobs.models import Job
from reprocessing import rule_kinds, triggers
from reprocessing.asking_forms import TriggerForm
from reprocessing.models import Blackout, Bookmark, Sighting, Trigger
from reprocessing.planning import Options
from reprocessing.rule_kinds import Kind, Seen
from tests.house import House, row
from tests.schedules.conftest import HOUR, MINUTE, START, cancel, look, spoil
from tests.workers import finished
from warehouse.registry import Rule

pytestmark = pytest.mark.django_db(databases="__all__")


SECOND = timedelta(seconds=1)


def what_came() -> list[str]:
    return [s.came for s in Sighting.objects.order_by("pk")]


DEAR = Rule("fee", "range", "", (0, 100), "reject", "dear")
HALF = [row("1"), row("2", seen="never")]


@pytest.mark.parametrize(("limit", "seen"), [(0.49, 1), (0.5, 0)])
def test_the_reject_rate_is_strict_and_counts_as_discovery_does(console: House, rule, limit, seen):
    rule(kind="reject rate", threshold=limit)
    console.deliver("20260105", *HALF)
    look(console)
    assert Sighting.objects.count() == seen
    assert not seen or Sighting.objects.get().told == "50 % of 2 records of Visits were refused"


def test_of_no_record_read_any_refused_is_all(console: House, rule):
    rule(kind="reject rate", threshold=0.99)
    run = console.deliver("20260105", row("1"))
    console.connection.execute("UPDATE etl.load_run_files SET rows_read = 0, rows_rejected = 1")
    console.connection.execute("UPDATE etl.load_runs SET status = 'running'")
    console.connection.execute("UPDATE etl.load_runs SET status = 'completed'")
    look(console)
    assert [s.load_run_id for s in Sighting.objects.all()] == [run]


def test_a_stuck_run_is_seen_once(console: House, rule):
    rule(kind="run stuck")
    run = spoil(console)
    for table, state in (("load_runs", "running"), ("load_run_files", "processing")):
        console.connection.execute(
            f"UPDATE etl.{table} SET status = '{state}', updated_at = now() - interval '3 h',"
            " created_at = now() - interval '4 h'"
        )
    for _ in range(3):
        triggers.take_in_slowly(console.connection, START)
        look(console)
    assert what_came() == ["fired"]
    assert Job.objects.get().plan.load_runs == [run]


def test_a_changed_declaration_makes_staging_anew_from_raw(console: House, rule):
    rule(kind="declaration changed")
    console.deliver("20260105", row("1"))
    triggers.take_in_slowly(console.connection, START)
    look(console)
    assert what_came() == [], "what is seen for the first time has not changed"
    Bookmark.objects.filter(name="fingerprint of Visits").update(value="another")
    for _ in range(2):
        triggers.take_in_slowly(console.connection, START)
        look(console)
    assert what_came() == ["fired"]
    job = Job.objects.get()
    assert (job.plan.options["source"], job.plan.options["extracts"]) == ("raw", ["Visits"])
    assert finished(job).state == "succeeded"


def redeclare(house: House, value: str, now: datetime) -> None:
    """The declaration of Visits is another one than was seen last."""
    Bookmark.objects.filter(name="fingerprint of Visits").update(value=value)
    triggers.take_in_slowly(house.connection, now)
    look(house, now)


def blackout(ends: time) -> None:
    Blackout.objects.create(weekdays=list(range(7)), begins=time(12), ends=ends, zone="UTC", reason="nightly loads")


@pytest.mark.parametrize(
    ("fields", "why", "later"),
    [
        ({"cooldown": 600}, "less than 600 s ago", 11 * MINUTE),
        ({"budget": 1}, "which is its budget", HOUR + 2 * MINUTE),
        ({}, "has an active job already", 2 * MINUTE),
    ],
)
def test_a_declaration_that_changes_while_the_rule_is_held_back_is_looked_at_later(
    console: House, rule, fields, why, later
):
    """It is seen but once: two changes meanwhile are one job, as soon as the rule may ask again."""
    rule(kind="declaration changed", **fields)
    console.deliver("20260105", row("1"))
    triggers.take_in_slowly(console.connection, START)
    redeclare(console, "second", START)
    first = Job.objects.get()
    if fields:
        assert finished(first).state == "succeeded"
    extract = console.visits
    for number, changed in enumerate((replace(extract, rules=(DEAR,)), replace(extract, record_updated_at=None))):
        console.registry = console.registry.with_versions({"Visits": changed})
        redeclare(console, f"another {number}", START + (number + 1) * SECOND)
    assert what_came() == ["fired", "debounced", "waiting"]
    assert why in Sighting.objects.get(came="waiting").why
    if not fields:
        cancel(first)
    look(console, START + later)
    assert what_came() == ["fired", "debounced", "fired"]
    assert Sighting.objects.filter(came="fired").exclude(why="").count() == 0
    assert Job.objects.exclude(pk=first.pk).get().plan.options["source"] == "raw"


def test_one_that_changes_in_a_blackout_is_looked_at_when_it_is_over(console: House, rule):
    rule(kind="declaration changed")
    console.deliver("20260105", row("1"))
    triggers.take_in_slowly(console.connection, START)
    blackout(time(12, 30))
    redeclare(console, "second", START)
    assert what_came() == ["waiting"] and "nightly loads" in Sighting.objects.get().why
    Blackout.objects.all().delete()
    look(console, START + HOUR)
    assert what_came() == ["fired"]


def test_another_room_registers_its_rule_and_reports(console: House, rule, monkeypatch):
    """The way that a verdict on quality takes."""
    monkeypatch.setattr(rule_kinds, "_known", dict(rule_kinds._known))
    rule_kinds.register(
        Kind("verdict", "Bad verdict", "…", lambda c, extract, runs: (runs, Options(extracts=(extract,))))
    )
    rule(kind="verdict")
    run = console.deliver("20260105", row("1"))
    look(console)
    seen = Seen("Visits", run, "verdict 7", "the verdict on Visits is bad")
    assert triggers.report("verdict", [seen], START) == 1
    look(console)
    triggers.report("verdict", [seen], START)
    assert what_came() == ["fired"] and Job.objects.get().plan.load_runs == [run]


def test_a_rule_that_cannot_judge_stops_itself_and_no_other(console: House, rule, monkeypatch):
    def broken(look: Any, limit: float | None) -> list[Seen]:
        raise ZeroDivisionError

    monkeypatch.setattr(rule_kinds, "_known", dict(rule_kinds._known))
    rule_kinds.register(Kind("broken", "Broken", "…", lambda c, e, runs: (runs, Options()), broken))
    rule("A", kind="broken"), rule("B", kind="gone"), rule("Z")
    spoil(console)
    look(console)
    assert what_came() == ["fired"]
    assert [t.state for t in Trigger.objects.order_by("name")] == ["stopped", "stopped", "active"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"kind": "reject rate"}, "threshold"),
        ({"kind": "reject rate", "threshold": "101"}, "threshold"),
        ({"budget": "0"}, "budget"),
        ({"quiet": "90000"}, "quiet"),
        ({"kind": "nonsense"}, "kind"),
        ({"extract": "Nonsense"}, "extract"),
        ({"name": ""}, "name"),
    ],
)
def test_a_form_that_cannot_be_meant_is_refused(console: House, people, fields, wrong):
    given = {"name": "N", "kind": "run failed", "quiet": "0", "cooldown": "0", "budget": "1",
             "owner": people["operator"].pk}  # fmt: skip
    form = TriggerForm({**given, **fields}, instance=Trigger(), extracts=["Visits"])
    assert not form.is_valid() and wrong in form.errors
