"""What bench/telling.py has done in a process of the console: a storm of failures, and what is told of it."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from uuid import uuid4

import psycopg
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from access import rights
from jobs.ending import end
from jobs.models import Job, Plan
from monitoring.alerts import evaluation
from monitoring.alerts.models import Alert, Finding, Rule
from notifications import channels, dispatch, news, sending
from notifications.models import Entry, Occurrence, Topic
from tests.notifications import sinks
from tests.notifications.sinks import HttpSink


def main(number: int, result: str) -> None:
    lines: list[str] = []

    def told(name: str, value: float, limit: float, unit: str, baseline: str) -> None:
        lines.append(f"{name}\t{value:.3f}\t{limit}\t{unit}\t{baseline}")

    with sinks.http() as sink:
        ops = _people()
        hook, _secret = channels.add(ops, name="Hook", form="webhook", address=sink.url)
        channels.add_routes(ops, topics=[Topic.FAILED, Topic.ALERT], role="", channel=hook)
        _failures(number, ops, sink, told)
        sink.got.clear()
        _refusals(number, ops, sink, told)
    Path(result).write_text("\n".join(lines) + "\n")


Told = Callable[[str, float, float, str, str], None]


def _people() -> User:
    for role in rights.ROLES:
        rights.give(User.objects.create_user(role), [role])
    return User.objects.get(username="ops")


def _failures(number: int, ops: User, sink: HttpSink, told: Told) -> None:
    """Jobs that fail one after the other, as a worker ends them; then one round of the clock."""
    jobs = _jobs(2 * number, User.objects.get(username="operator"))
    sources, listening, silent = list(news._sources), 0.0, 0.0
    for start in range(0, number, 100):  # they take turns, so that what slows the machine slows both
        news._sources[:] = sources
        listening += _seconds(partial(_fail, jobs[start : min(start + 100, number)]))
        news._sources[:] = []
        silent += _seconds(partial(_fail, jobs[number + start : number + min(start + 100, number)]))
    news._sources[:] = sources
    assert Occurrence.objects.count() == number
    now = timezone.now()
    seconds = _seconds(lambda: dispatch.dispatch(now))
    sending.send_due(now, Random(1))
    entries = Entry.objects.filter(person__username="operator")
    lost = number - sum(int(json.loads(body)["count"]) for _p, _h, body in sink.got)
    told("telling_act_ratio", listening / silent, 1.25, "ratio", "the same failures without anything to be told")
    told("telling_dispatch_ms_each", 1000 * seconds / number, 10, "ms", "none")
    told("telling_messages_of_failures", len(sink.got), 1, "messages", f"{number:,} failures")
    told("telling_entries_of_failures", entries.count(), 1, "entries", f"{number:,} failures")
    told("telling_failures_lost", abs(lost) + abs(number - sum(e.count for e in entries)), 0, "failures", "none")


def _jobs(number: int, by: User) -> list[Job]:
    preview = {"tables": {}, "records": 1, "estimate_seconds": 1.0}
    plans = [Plan(kind="reprocess", reason="a storm", preview=preview, digest=uuid4().hex) for _ in range(number)]
    Plan.objects.bulk_create(plans, batch_size=2000)
    made = [Job(plan=plan, kind="reprocess", state="running", requested_by=by) for plan in plans]
    return Job.objects.bulk_create(made, batch_size=2000)


def _fail(jobs: Sequence[Job]) -> None:
    for job in jobs:
        end(job, Job.State.FAILED, among=[Job.State.RUNNING], error=f"File {job.pk} could not be read.")


def _refusals(number: int, ops: User, sink: HttpSink, told: Told) -> None:
    """Load runs with too many refused records, found by one look; then one round of the clock."""
    Rule.objects.exclude(metric="run error rate").update(state="paused")
    with psycopg.connect(settings.WAREHOUSE_URL, autocommit=True) as warehouse:
        warehouse.execute(
            "WITH made AS (INSERT INTO etl.load_runs (status, triggered_by, completed_at) SELECT 'completed', 'storm',"
            " now() FROM generate_series(1, %s) RETURNING load_run_id)"
            " INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash, date_extracted,"
            " extract_type, per_org_id, practice_id, status, rows_read, rows_rejected) SELECT load_run_id, 'b',"
            " load_run_id, '', load_run_id, '2026-01-01', 'Patient', 'a', 'a', 'completed', 100, 50 FROM made",
            [number],
        )
    now = timezone.now() + timedelta(seconds=5)
    seconds = _seconds(lambda: evaluation.by_the_clock(now))
    again = _seconds(lambda: evaluation.by_the_clock(now + timedelta(seconds=30)))
    dispatch.dispatch(now)
    sending.send_due(now, Random(1))
    found = Alert.objects.all()
    told("telling_alerts_of_runs", found.count(), 1, "alerts", f"{number:,} load runs")
    told("telling_messages_of_alerts", len(sink.got), 1, "messages", f"{number:,} load runs")
    lost = abs(number - sum(alert.count for alert in found)) + abs(number - Finding.objects.count())
    told("telling_runs_lost", lost, 0, "runs", "none")
    told("telling_first_look_s", seconds, 30, "s", "the time between two looks")
    told("telling_next_look_s", again, 15, "s", "half of the time between two looks")


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
