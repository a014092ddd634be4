"""Purges before-images that have expired or are beyond the budget, except where a job still needs them; never without
a trace."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User

from access import rights
from audit.transitions import SYSTEM, record
from jobs.models import Job
from reprocessing import planning, rolling_back
from warehouse import image_removal, registry
from warehouse.connections import connect
from warehouse.image_removal import Removed

EVERY = timedelta(hours=1)


def needed() -> set[UUID]:
    """Jobs whose before-image must stay though it has expired: of rollbacks under way, and waves of open rollouts."""
    rollbacks = Job.objects.filter(kind=rolling_back.NAME, state__in=Job.ACTIVE).select_related("plan")
    waves = Job.objects.filter(parent__kind=planning.ROLLOUT, parent__state__in=Job.ACTIVE)
    return {job for found in rollbacks for job in rolling_back.undo_of(found.plan).jobs} | set(
        waves.values_list("pk", flat=True)
    )


def purge(url: str, *, now: datetime, actor: User | None = None) -> list[Removed]:
    """Purge what has expired and the oldest beyond the budget; what was removed.

    Raises PermissionDenied, UnreachableWarehouseError.
    """
    if actor is not None:
        rights.demand(actor, rights.ROLL_BACK)
    with connect(url, purpose="purge before-images") as connection:
        name = actor.get_username() if actor else SYSTEM
        purged = image_removal.purge(connection, registry.current(), now=now, needed=needed(), actor=name)
    known = Job.objects.in_bulk({found.image.job_id for found in purged})
    for found in purged:
        if job := known.get(found.image.job_id):
            detail = {"table": found.image.table_name, "rows": found.image.rows, "why": found.why}
            record(actor, "before-image purged", job, detail)
    return purged


def by_the_clock(now: datetime) -> None:
    purge(settings.WAREHOUSE_URL, now=now)
