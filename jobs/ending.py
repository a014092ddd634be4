"""How a job ends: its state, its outcome or reason, and the load runs that it held become free."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from audit.transitions import move
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
    with transaction.atomic():
        move(
            job,
            state,
            among=among,
            actor=actor,
            where=where,
            finished_at=timezone.now(),
            lease_until=None,
            progress={},
            **fields,
        )
        job.runs.update(held=False)
