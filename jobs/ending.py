"""How a job ends: its state, its outcome or reason, the load runs that it held become free, its parent hears of it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from audit.transitions import move
from jobs import doorbell, kinds
from jobs.models import Job


def end(
    job: Job,
    state: str,
    *,
    among: Collection[str],
    actor: User | None = None,
    where: dict[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Move the job to an end from one of the states `among`. Raises StateChangedError."""
    now = timezone.now()
    with transaction.atomic():
        move(
            job,
            state,
            among=among,
            actor=actor,
            where=where,
            detail=_told(job, now, fields.get("error", "")),
            finished_at=now,
            lease_until=None,
            progress={},
            **fields,
        )
        job.runs.update(held=False)
        kinds.of(job).ended(job)
        if job.parent_id:
            doorbell.ring(job.parent_id)


def _told(job: Job, now: datetime, error: str) -> dict[str, Any]:
    """What the trail keeps of an end: which plan it was, how long it took, why it came."""
    started, digest = Job.objects.values_list("started_at", "plan__digest").get(pk=job.pk)
    return {
        **({"plan digest": digest} if digest else {}),
        **({"seconds": round((now - started).total_seconds(), 1)} if started else {}),
        **({"why": error} if error else {}),
    }
