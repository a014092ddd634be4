"""Who is alive, who may ask, what is wrong and what to do: ps, /healthz, /metrics."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from audit.models import Event
from audit.transitions import record
from jobs.models import Job, Plan
from monitoring import heartbeats, processes
from monitoring.alerts.metrics import BY_NAME, Look
from monitoring.management.commands import ps
from reprocessing import bookmarks
from reprocessing.models import Bookmark
from tests.house import row
from tests.tampering import unguarded
from warehouse.connections import connect

pytestmark = pytest.mark.django_db(databases="__all__")
NOW = timezone.now()


@pytest.fixture(autouse=True)
def nobody_has_spoken(monkeypatch):
    monkeypatch.setattr(heartbeats, "_last", {})


def waiting_job(people, *, asked: timedelta, lease: timedelta | None = None) -> Job:
    plan = Plan.objects.create(kind="reprocess", reason="late", options={"source": "files"})
    until = NOW + lease if lease is not None else None
    job = Job.objects.create(
        plan=plan, kind="reprocess", state="queued", requested_by=people["operator"], lease_until=until
    )
    Job.objects.filter(pk=job.pk).update(created_at=NOW - asked)
    return job


def test_a_silent_worker_is_wrong_and_a_living_one_is_not(console):
    assert any("No worker is alive" in told for told in processes.look(NOW).wrong)
    heartbeats.worker(NOW)
    found = processes.look(NOW)
    assert [(p.kind, p.alive) for p in found.processes] == [("worker", True)] and not found.wrong
    found = processes.look(NOW + timedelta(minutes=1))
    assert [(p.kind, p.alive) for p in found.processes] == [("worker", False)] and found.wrong
    assert processes.look(NOW + timedelta(hours=1)).processes == []


def test_a_sign_of_life_is_written_at_most_every_ten_seconds(console):
    for second in (0, 3, 9):
        heartbeats.web(NOW + timedelta(seconds=second))
    assert Bookmark.objects.get(name__startswith="web ").at == NOW
    heartbeats.web(NOW + timedelta(seconds=11))
    assert Bookmark.objects.get(name__startswith="web ").at == NOW + timedelta(seconds=11)


def test_the_queue_is_counted_by_who_has_the_job(console, people):
    waiting_job(people, asked=timedelta(minutes=7))
    waiting_job(people, asked=timedelta(hours=3), lease=timedelta(seconds=20))
    waiting_job(people, asked=timedelta(hours=3), lease=timedelta(seconds=-20))
    heartbeats.worker(NOW)
    found = processes.look(NOW)
    assert found.queue and (found.queue.waiting, found.queue.running, found.queue.lapsed) == (1, 1, 1)
    assert found.queue.oldest == timedelta(minutes=7)
    assert found.wrong == [
        "1 job waiting for a worker, the first for 7 min. Start another worker, or raise RESTAGE_WORKERS."
    ]
    assert "1 job without a worker that lives; another one takes over within seconds." in found.notices


def age() -> float:
    """As an alert rule measures it."""
    with connect(settings.WAREHOUSE_URL, purpose="a test") as connection:
        (sample,) = BY_NAME["queue age"].samples(Look(connection, NOW, NOW))
        return sample.value


def test_a_job_that_waits_for_its_window_does_not_wait_for_a_worker(console, people):
    job = waiting_job(people, asked=timedelta(days=2))
    queued = record(None, "job queued", job)
    with unguarded("audit_event"):
        Event.objects.filter(pk=queued.pk).update(at=NOW - timedelta(minutes=30))
    Job.objects.filter(pk=job.pk).update(not_before=NOW - timedelta(minutes=4))
    heartbeats.worker(NOW)
    assert age() == 240, "it could have been begun since then, not before"
    Job.objects.filter(pk=job.pk).update(not_before=NOW + timedelta(hours=9))
    found = processes.look(NOW)
    assert found.queue and (found.queue.waiting, found.queue.oldest, found.wrong) == (0, None, [])
    assert age() == 0


def test_ps_tells_everything_and_ends_with_1_where_something_is_wrong(told, people):
    assert "No worker is alive" in told("ps", code=1)["wrong"][0]
    heartbeats.worker(timezone.now())
    bookmarks.alive("host:2", timezone.now())
    answer = told("ps")
    assert answer["healthy"] and {p["kind"] for p in answer["processes"]} == {"worker", "watcher"}
    assert [s["name"] for s in answer["servers"] if s["up"]] == ["console", "warehouse"]
    assert answer["queue"]["waiting"] == 0 and answer["disk"]["free"] > 0
    assert any("whether one is up says its /healthz" in notice for notice in answer["notices"])


def test_a_web_process_that_nobody_asks_is_quiet_and_a_worker_that_is_gone_is_silent(console):
    heartbeats.web(NOW)
    heartbeats.worker(NOW)
    assert not any("web process" in notice for notice in processes.look(NOW).notices)
    told = ps.lines(processes.look(NOW + timedelta(minutes=5)))
    said = {line.split()[0]: line.split()[2] for line in told}
    assert (said["web"], said["worker"]) == ("quiet", "silent")


def test_an_unreachable_warehouse_is_told_and_the_dashboard_opens(console, as_, settings):
    settings.WAREHOUSE_URL = "postgresql://127.0.0.1:1/nowhere"
    assert any("The warehouse does not answer" in told for told in processes.look(NOW).wrong)
    answer = as_("viewer").get("/")
    assert answer.status_code == 200 and "The warehouse does not answer" in answer.content.decode()


def test_anybody_is_told_up_and_only_who_may_of_the_parts(console, as_, settings):
    settings.METRICS_TOKEN = "a-token-of-twenty-nine-letters"
    assert Client().get("/healthz").json() == {"status": "ok"}
    assert Client().get("/healthz", headers={"Authorization": "Bearer another"}).json() == {"status": "ok"}
    with_token = Client().get("/healthz", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}).json()
    assert with_token["queue"]["waiting"] == 0
    assert as_("viewer").get("/healthz").json()["servers"][0]["name"] == "console"


@pytest.mark.parametrize(
    ("token", "asked", "code"),
    [
        ("", {}, 200),
        ("", {"REMOTE_ADDR": "::1"}, 200),
        ("", {"REMOTE_ADDR": "10.1.2.3"}, 403),
        ("", {"REMOTE_ADDR": ""}, 403),
        ("", {"HTTP_X_FORWARDED_FOR": "10.1.2.3"}, 403),
        ("a-token-of-twenty-nine-letters", {}, 403),
        ("a-token-of-twenty-nine-letters", {"HTTP_AUTHORIZATION": "Bearer another-token-é"}, 403),
        (
            "a-token-of-twenty-nine-letters",
            {"HTTP_AUTHORIZATION": "Bearer a-token-of-twenty-nine-letters", "REMOTE_ADDR": "10.1.2.3"},
            200,
        ),
    ],
)
def test_metrics_are_for_the_token_or_this_machine(console, settings, token, asked, code):
    settings.METRICS_TOKEN = token
    assert Client(**asked).get("/metrics").status_code == code


def test_metrics_say_what_the_databases_say_and_name_no_practice(console, people):
    console.deliver("20260105", row("1"), row("2", seen="never"), org="secretpractice")
    console.write("20260112", row("3"), org="b").write_text("spoilt\n")
    console.load()
    console.connection.execute("UPDATE etl.load_run_files SET extract_type = 'Evil' WHERE status = 'failed'")
    waiting_job(people, asked=timedelta(minutes=1))
    page = Client().get("/metrics").content.decode()
    for line in (
        'restage_load_files{extract="Visits",state="completed"} 1.0',
        'restage_load_files{extract="undeclared",state="failed"} 1.0',
        'restage_load_records{extract="Visits",kind="read"} 2.0',
        'restage_load_records{extract="Visits",kind="refused"} 1.0',
        'restage_jobs{kind="reprocess",state="queued"} 1.0',
        'restage_database_up{database="warehouse"} 1.0',
        "restage_jobs_waiting 1.0",
        "restage_healthy 0.0",
    ):
        assert line in page, line
    assert "secretpractice" not in page and "Evil" not in page
