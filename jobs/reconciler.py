"""Rings again for jobs that nobody works on though somebody should: a lost message, a dead worker."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django_q.models import OrmQ

from jobs import doorbell
from jobs.models import Job

Upkeep = Callable[[datetime], object]
_upkeep: list[Upkeep] = []

PATIENCE = timedelta(seconds=20)  # a ring may lie in the queue as long as this before it is taken for lost


def also(upkeep: Upkeep) -> None:
    """Have a room's own upkeep done in every round."""
    _upkeep.append(upkeep)


def reconcile(*, now: datetime | None = None) -> int:
    """Ring for every workable job without a living lease, unless as many rings lie in the queue; how many.

    Ringing twice does no harm; a queue that only grows does.
    """
    now = now or timezone.now()
    for upkeep in _upkeep:
        upkeep(now)
    lapsed = Q(lease_until__lt=now) | Q(lease_until__isnull=True, created_at__lt=now - PATIENCE)
    due = Q(not_before__isnull=True) | Q(not_before__lte=now)
    forgotten = list(Job.objects.filter(lapsed, due, state__in=Job.WORKABLE).values_list("pk", flat=True))
    if OrmQ.objects.filter(lock__lte=now).count() >= len(forgotten):
        return 0
    for job_id in forgotten:
        doorbell.ring(job_id)
    return len(forgotten)
