"""Which moments of the past can be recovered, as far as the repository says it, and until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from django.conf import settings
from django.utils import timezone

from archives import copies
from recovery.backups import Folder
from recovery.errors import CannotRecoverError
from recovery.repositories import Target
from warehouse import marks


@dataclass(frozen=True)
class Reach:
    """`why`: none can be recovered ("": some can). `oldest` None: another program's repository knows it."""

    why: str = ""
    told: str = ""
    oldest: datetime | None = None
    newest: datetime | None = None


@dataclass(frozen=True)
class Moment:
    """Just before a job. `why`: it cannot be reached ("": it can); `until`: when the copy that it needs goes."""

    at: datetime
    why: str = ""
    until: datetime | None = None


def reach(connection: psycopg.Connection, now: datetime) -> Reach:
    repository = copies.current()
    if repository is None:
        return Reach("No base backups are registered for this warehouse.")
    if not isinstance(repository, Folder):
        return Reach(told="Another program keeps the copies: it knows which moments it reaches.")
    if not repository.listed():
        return Reach("No base backup has been taken yet; take one to have moments from then on.")
    oldest, newest, _loss = copies.window(connection, now)
    told = f"Any moment from {timezone.localtime(oldest):%Y-%m-%d %H:%M} on."
    if gap := repository.missing(repository.listed()[-1]):
        told += f" After its base backup the WAL has a gap at {gap}: nothing later can be had until the next backup."
    return Reach("", told, oldest, newest)


def before_job(connection: psycopg.Connection, job_id: UUID) -> Moment | None:
    """None where nothing says when the job had its first effect."""
    mark = marks.of_job(connection, job_id)
    if mark is None:
        return None
    repository = copies.current()
    if not isinstance(repository, Folder):
        return Moment(mark.at)
    try:
        backup = repository.choose(Target(mark.at, mark.lsn))
    except CannotRecoverError:
        return Moment(mark.at, "It lies before the oldest base backup.")
    return Moment(mark.at, "", backup.ended_at + timedelta(days=settings.BACKUP_DAYS))
