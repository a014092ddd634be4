"""The real watcher process: quick, restarted, cut off, killed, doubled; nothing is missed and nothing is done twice."""

import signal
import time

import psycopg

from bench.latency import MAKE_RULE, fail_a_run, latencies, p95, started
from tests.house import row
from tests.stack import Stack, eventually

MAKE_SCHEDULE = """
from datetime import timedelta
from django.contrib.auth.models import User
from django.utils import timezone
from reprocessing import askers
from reprocessing.models import Schedule
user = User.objects.get(username="operator")
askers.save(Schedule(name="Minutely", expression="* * * * *", zone="UTC", owner=user, overlap="queue",
    until=timezone.now() - timedelta(minutes=2)), User.objects.get(username="ops"))
"""


def jobs_of(stack: Stack, run) -> int:
    return int(stack.console("SELECT count(*) FROM jobs_jobrun WHERE load_run_id = %s", run)[0][0])


def test_from_commit_to_plan_in_two_seconds(stack: Stack):
    started(stack)
    latencies(stack, 2)
    found = latencies(stack, 30)
    print(f"commit to plan, 30 events: p95 {p95(found):.3f} s, worst {max(found):.3f} s")
    assert p95(found) <= 2.0
    assert stack.console("SELECT count(*), count(DISTINCT load_run_id) FROM jobs_jobrun") == [(32, 32)]
    assert stack.console("SELECT DISTINCT came FROM reprocessing_sighting") == [("fired",)]


def test_what_happens_while_it_is_killed_or_cut_off_is_made_up_for(stack: Stack):
    stack.shell(MAKE_RULE)
    first = stack.watcher()
    run, _at = fail_a_run(stack.house, 1, stack.house.connection)
    eventually(lambda: jobs_of(stack, run))
    first.send_signal(signal.SIGKILL)
    first.wait()
    run, _at = fail_a_run(stack.house, 2, stack.house.connection)
    second = stack.watcher()
    eventually(lambda: jobs_of(stack, run))
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'restage watch'"
    assert set(stack.house.connection.execute(cut).fetchall()) == {(True,)}  # that of the killed one may linger
    run, _at = fail_a_run(stack.house, 3, stack.house.connection)
    eventually(lambda: jobs_of(stack, run))
    began = time.monotonic()
    assert stack.end(second) == 0
    assert time.monotonic() - began < 5
    assert stack.console("SELECT count(*), count(DISTINCT load_run_id) FROM jobs_jobrun") == [(3, 3)]


def test_two_watchers_act_once_and_fire_schedules(stack: Stack):
    started(stack)
    stack.watcher()
    eventually(lambda: stack.console("SELECT 1 FROM reprocessing_bookmark WHERE name LIKE 'watcher %%' OFFSET 1"))
    with psycopg.connect(stack.env["RESTAGE_WAREHOUSE_URL"], autocommit=True) as loader:
        runs = [fail_a_run(stack.house, number, loader)[0] for number in range(20)]
    eventually(lambda: all(jobs_of(stack, run) for run in runs))
    assert stack.console("SELECT count(*), count(DISTINCT load_run_id) FROM jobs_jobrun") == [(20, 20)]
    (stack.house.folder / "a_visits_20260105.csv").write_text("spoilt\n")
    stack.shell("from reprocessing.models import Trigger\nTrigger.objects.update(state='paused')")
    (loaded,) = stack.house.load().runs[-1:]
    stack.shell(MAKE_SCHEDULE)
    eventually(lambda: jobs_of(stack, loaded.load_run_id))
    slots = stack.console("SELECT slot, came FROM reprocessing_slot WHERE came = 'fired'")
    assert len(slots) == len({slot for slot, _came in slots}) == 1
    (answer,) = stack.command("schedules", "list")["schedules"]
    assert (answer["name"], answer["state"], answer["owner"]) == ("Minutely", "active", "operator")


def test_by_command(stack: Stack):
    stack.shell(MAKE_RULE)
    stack.shell(MAKE_SCHEDULE)
    run = stack.house.deliver("20260105", row("1"))
    stack.house.connection.execute("UPDATE etl.load_run_files SET status = 'failed'")
    assert stack.command("schedules")["schedules"][0]["name"] == "Minutely"
    assert "do not let you" in stack.command("schedules", "run", "Minutely", "--as", "operator", code=1)["error"]
    assert stack.command("schedules", "run", "Minutely", "--as", "ops")["came"] == "fired"
    assert jobs_of(stack, run) == 1
    assert "Skipped" in stack.command("schedules", "run", "Minutely", "--as", "ops", code=1)["error"]
    assert stack.command("schedules", "pause", "Minutely", "--reason", "r", "--as", "ops")["state"] == "paused"
    assert stack.command("schedules", "pause", "Minutely", "--reason", "r", "--as", "ops", code=1)
    assert stack.command("schedules", "pause", "Minutely", "--reason", " ", "--as", "ops", code=2)
    assert stack.command("schedules", "resume", "Minutely", "--as", "ops")["state"] == "active"
    assert "no schedule Nothing" in stack.command("schedules", "resume", "Nothing", code=1)["error"]
