"""What recovery needs done by the clock: base backups, drills, and the removal of what nobody uses any more."""

import secrets
from datetime import datetime, timedelta

import psycopg
from django.conf import settings

from archives import backing_up, copies, drills
from audit.models import Event
from audit.transitions import record
from jobs import actors
from jobs.models import Job
from recovery.backups import Folder
from warehouse.connections import connect

EVERY = timedelta(minutes=1)
AGAIN_AFTER = timedelta(hours=1)  # what failed is asked for again after this, not at once


def by_the_clock(now: datetime) -> None:
    copies.reap()
    if copies.current() is not None:
        ask(now, seed=secrets.randbits(32))


def ask(now: datetime, *, seed: int) -> None:
    """Ask for a base backup or a drill that is due; `seed` decides what a drill tries."""
    if is_backup_due(now):
        backing_up.submit(actors.restage(), reason="By the clock")
    elif is_drill_due(now):
        drills.submit(actors.restage(), reason="By the clock", seed=seed)
    with connect(settings.WAREHOUSE_URL, purpose="upkeep of recovery") as connection:
        tell_overdue(connection, now)


def is_backup_due(now: datetime) -> bool:
    """Whether the newest base backup is too old, or WAL is missing after it, and none has been asked for just now."""
    folder = copies.own()
    if folder is None or settings.RECOVERY_COMMAND or _is_asked(backing_up.NAME, now, AGAIN_AFTER):
        return False
    known = folder.listed()
    old = not known or known[-1].ended_at < now - timedelta(hours=settings.BACKUP_HOURS)
    return old or bool(folder.missing(known[-1]))


def is_drill_due(now: datetime) -> bool:
    """Whether no drill was done or asked for within the days that they are apart; never before there is a backup."""
    repository = copies.current()
    if isinstance(repository, Folder) and not repository.listed():
        return False
    apart = timedelta(days=settings.DRILL_DAYS)
    held = Job.objects.filter(kind=drills.NAME, state__in=Job.PUBLISHED, created_at__gt=now - apart)
    return settings.DRILL_DAYS > 0 and not held.exists() and not _is_asked(drills.NAME, now, timedelta(days=1))


def _is_asked(kind: str, now: datetime, since: timedelta) -> bool:
    jobs = Job.objects.filter(kind=kind)
    return jobs.filter(state__in=Job.ACTIVE).exists() or jobs.filter(created_at__gt=now - since).exists()


def tell_overdue(connection: psycopg.Connection, now: datetime) -> Event | None:
    """Note in the trail, once a day, that no drill has held for too long."""
    last = Job.objects.filter(kind=drills.NAME).order_by("-created_at").first()
    first = Job.objects.filter(kind=drills.NAME).order_by("created_at").first()
    grace = timedelta(days=settings.DRILL_DAYS + 1)
    if last is None or first is None or first.created_at > now - grace or not drills.is_overdue(connection, now):
        return None
    if Event.objects.filter(action=drills.OVERDUE, at__gt=now - timedelta(days=1)).exists():
        return None
    return record(None, drills.OVERDUE, last, {"days": settings.DRILL_DAYS})
