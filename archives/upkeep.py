"""What archives need without being asked: months made ahead, and every night a cleanup of what has expired."""

import logging
from datetime import datetime, timedelta

import psycopg
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from access import rights
from archives import cleaning
from jobs.models import Job
from warehouse import archive_tables, registry
from warehouse.connections import connect
from warehouse.errors import TellableError

EVERY = timedelta(hours=1)
NIGHT = range(2, 6)  # hours of the console's zone
ITSELF = "restage"
REASON = "The nightly cleanup"
log = logging.getLogger(__name__)


class Upkeep:
    """The reconciler's call, once an hour; where the warehouse is away, the next hour tries again."""

    def __init__(self) -> None:
        self._next: datetime | None = None

    def __call__(self, now: datetime) -> None:
        if self._next and now < self._next:
            return
        self._next = now + EVERY
        try:
            make_months(settings.WAREHOUSE_URL, now)
            if timezone.localtime(now).hour in NIGHT:
                clean_up(settings.WAREHOUSE_URL, now)
        except (TellableError, psycopg.Error) as error:
            log.warning("The upkeep of archives could not be done: %s", type(error).__name__)


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
    return cleaning.ask(url, reason=REASON, actor=itself(), now=now)


def itself() -> User:
    """The account on whose behalf the upkeep asks: it cannot log in."""
    user, made = User.objects.get_or_create(username=ITSELF)
    if made:
        user.set_unusable_password()
        user.save()
        rights.give(user, ["archive admin"])
    return user
