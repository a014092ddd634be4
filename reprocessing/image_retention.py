"""Purges before-images that have expired, except where a job still needs them; never without a trace."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User

from access import rights
from audit.transitions import SYSTEM, record
from jobs.models import Job
from reprocessing import planning, rolling_back
from warehouse import before_images
from warehouse.before_images import ImageSet
from warehouse.connections import connect

EVERY = timedelta(hours=1)


def needed() -> set[UUID]:
    """Jobs whose before-image must stay though it has expired: of rollbacks under way, and waves of open rollouts."""
    rollbacks = Job.objects.filter(kind=rolling_back.NAME, state__in=Job.ACTIVE).select_related("plan")
    waves = Job.objects.filter(parent__kind=planning.ROLLOUT, parent__state__in=Job.ACTIVE)
    return {job for found in rollbacks for job in rolling_back.undo_of(found.plan).jobs} | set(
        waves.values_list("pk", flat=True)
    )


def purge(url: str, *, now: datetime, actor: User | None = None) -> list[ImageSet]:
    """Purge what has expired; what was removed. Raises PermissionDenied, UnreachableWarehouseError."""
    if actor is not None:
        rights.demand(actor, rights.ROLL_BACK)
    with connect(url, purpose="purge before-images") as connection:
        name = actor.get_username() if actor else SYSTEM
        purged = before_images.purge(connection, now=now, needed=needed(), actor=name)
    known = Job.objects.in_bulk({found.job_id for found in purged})
    for found in purged:
        if job := known.get(found.job_id):
            record(actor, "before-image purged", job, {"table": found.table_name, "rows": found.rows})
    return purged


def by_the_clock(now: datetime) -> None:
    purge(settings.WAREHOUSE_URL, now=now)
