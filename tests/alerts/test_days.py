"""What the trial of a rule counts by day are days of the console, whoever tries it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from jobs.models import Job, Plan
from monitoring.alerts import rules
from monitoring.alerts.judging import Limit

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize("reader", [None, "America/Los_Angeles"])
def test_a_trial_counts_days_of_the_console(console, people, reader):
    begun = datetime(2026, 10, 25, 12, tzinfo=UTC)  # the 26th in Auckland, the 25th in Los Angeles
    plan = Plan.objects.create(kind="reprocess", reason="Fee rule", options={"source": "files"}, preview={"tables": {}})
    job = Job.objects.create(plan=plan, kind="reprocess", state="failed", requested_by=people["operator"])
    Job.objects.filter(pk=job.pk).update(created_at=begun, started_at=begun, finished_at=begun)
    with timezone.override(reader):
        tried = rules.back_test(console.connection, "job failed", Limit(0.5), "", begun + timedelta(hours=1))
    assert [(day.isoformat(), number) for day, number in tried.days] == [("2026-10-26", 1)]
