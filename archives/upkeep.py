"""What archives need without being asked: months made ahead, and every night a cleanup of what has expired."""

from datetime import datetime, timedelta

import psycopg
from django.conf import settings
from django.utils import timezone

from archives import cleaning
from jobs import actors
from jobs.models import Job
from warehouse import archive_tables, registry
from warehouse.connections import connect

EVERY = timedelta(hours=1)
NIGHT = range(2, 6)  # hours of the console's zone
REASON = "The nightly cleanup"


def by_the_clock(now: datetime) -> None:
    make_months(settings.WAREHOUSE_URL, now)
    if timezone.localtime(now).hour in NIGHT:
        clean_up(settings.WAREHOUSE_URL, now)


def make_months(url: str, now: datetime) -> list[str]:
    """Make the months ahead of every archive table; a month whose rows lie in the default partition waits until
    somebody has moved them (the page of archives tells it)."""
    made = []
    with connect(url, purpose="months of archives") as connection:
        for extract in registry.current().extracts:
            try:
                made += archive_tables.make_ahead(connection, extract, now)
            except psycopg.errors.CheckViolation:
                continue
    return made


def clean_up(url: str, now: datetime) -> Job | None:
    """Ask for tonight's cleanup, unless that is done, one is under way or waits for a decision, or nothing can go."""
    tonight = Job.objects.filter(kind=cleaning.NAME, plan__reason=REASON, created_at__gt=now - timedelta(hours=12))
    under_way = Job.objects.filter(kind=cleaning.NAME, state__in=Job.ACTIVE, dry_run=False)
    if tonight.exists() or under_way.exists() or not any(v.goes for v in cleaning.judge(url, now)):
        return None
    return cleaning.submit(actors.restage(), reason=REASON, now=now)
