"""The rules that are shipped: what they alert on, once, and what they let pass."""

from uuid import uuid4

import pytest
from django.utils import timezone

from audit.models import Event
from jobs.models import Job, Plan
from monitoring.alerts.models import Alert, Finding
from notifications import dispatch
from notifications.models import Entry
from tests.alerts.conftest import HOUR
from tests.notifications.conftest import told_to

pytestmark = pytest.mark.django_db(databases="__all__")


def names(found: list[Alert]) -> list[str]:
    return [alert.rule.name for alert in found]


def test_a_run_of_more_than_4_hours_alerts_while_it_runs_and_once(ward, people):
    run = ward.run(begun=4, took=None)
    assert ward.look() == [], "exactly 4 h is not more"
    (alert,) = ward.look(minutes=1)
    assert (alert.rule.name, alert.series, alert.severity) == ("A load run takes more than 4 h", "Visits", "critical")
    assert alert.told == "4 h 1 min, more than 4 h, and it still goes"
    assert alert.cases[0]["path"] == f"/runs/{run}/"
    for _ in range(5):
        assert ward.look(minutes=10) == [alert]
    ward.end(run)
    assert ward.look(minutes=1) == [alert], "it is not good yet: it took too long"
    assert Event.objects.filter(action="alert opened").count() == 1 and Finding.objects.count() == 1
    dispatch.dispatch(ward.now)
    assert told_to(people["ops"]) == ["A load run takes more than 4 h: Visits"] and told_to(people["viewer"]) == []
    ward.later(hours=1)
    ward.run(begun=0.5, took=0.4)
    assert ward.look(minutes=1) == [], "the next one was quick: it has recovered"
    dispatch.dispatch(ward.now)
    assert told_to(people["ops"])[-1] == "A load run takes more than 4 h: Visits is over"


def test_error_rates_and_records_are_strictly_more(ward):
    ward.run(read=100, refused=5)
    ward.run("Calls", read=1_000_000)
    assert ward.look() == []
    ward.run(read=100, refused=6)
    ward.run("Calls", read=1_000_001)
    assert names(ward.look()) == [
        "More than 5 % of a load run is refused",
        "A load run has more than 1,000,000 records",
    ]
    assert [a.told for a in Alert.objects.order_by("pk")] == [
        "6.0 %, more than 5.0 %",
        "1,000,001, more than 1,000,000",
    ]


def test_of_nothing_read_nothing_is_divided(ward):
    ward.run(read=0)
    ward.run("Calls", read=0, refused=3)
    assert [(a.series, a.told) for a in ward.look()] == [("Calls", "100.0 %, more than 5.0 %")]


def job(people, kind="rollback", *, state="succeeded", hours=0.1, records=10, ended=True, **more) -> Job:
    now = timezone.now()
    preview = {"tables": {}, "records": records, "estimate_seconds": 1.0}
    plan = Plan.objects.create(kind=kind, reason="r", preview=preview, digest="d")
    return Job.objects.create(
        plan=plan, kind=kind, state=state, requested_by=people["operator"], started_at=now - hours * HOUR,
        finished_at=now if ended else None, **more,
    )  # fmt: skip


@pytest.mark.parametrize("state", ["running", "succeeded", "failed", "partial"])
def test_every_rollback_alerts_one_that_failed_too(ward, people, state):
    job(people, state=state, ended=state != "running")
    ward.later(seconds=5)
    assert names(ward.look()) == ["A rollback"]


def test_the_second_rollback_is_told_though_the_first_is_open(ward, people):
    job(people)
    (alert,) = ward.look(seconds=5)
    dispatch.dispatch(ward.now)
    job(people, state="failed")
    assert ward.look(seconds=5) == [alert]
    dispatch.dispatch(ward.now)
    alert.refresh_from_db()
    assert alert.count == 2
    assert [(entry.count, entry.title) for entry in Entry.objects.filter(person=people["ops"])] == [
        (2, "2 alerts about kind of job rollback")
    ]
    assert [*Event.objects.filter(subject=f"alert:{alert.pk}").values_list("action", flat=True)] == [
        "alert again",
        "alert opened",
    ]


def test_a_job_alerts_by_its_duration_share_and_size(ward, people):
    job(people, "reprocess", state="running", ended=False, hours=4.1)
    job(people, "reprocess", records=1_000_001)
    job(people, "reprocess", outcome={"tables": {"visits": {"rejected": 2}}})
    job(people, "reprocess", dry_run=True, records=9_000_000)
    assert sorted(names(ward.look(seconds=5))) == [
        "A job has more than 1,000,000 records",
        "A job takes more than 4 h",
        "More than 5 % of a job is refused",
    ]


def test_3_of_the_last_5_jobs_that_failed_alert(ward, people):
    for state in ("failed", "succeeded", "failed", "succeeded"):
        job(people, "reprocess", state=state)
    assert ward.look(seconds=5) == []
    job(people, "reprocess", state="quarantined")
    (alert,) = ward.look(seconds=5)
    assert (alert.rule.name, alert.count) == ("3 of the last 5 jobs failed", 3)
    assert str(uuid4()) not in str(alert.cases)
