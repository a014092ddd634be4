"""How long a job takes, from how long such jobs took, with the basis said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles
from typing import Any

from django.utils import timezone

from jobs.models import Job, Plan

LOOKED_BACK = timedelta(days=30)
MOST_JOBS = 200
FEWEST_JOBS = 3
LEAST_RECORDS = 100  # a smaller job's time is all overhead and says nothing about records
PREVIEW_FACTOR = 1.5  # the run does what the preview did, and writes


@dataclass(frozen=True)
class Estimate:
    """Seconds: half of such jobs took less than `low`, nine of ten less than `high`."""

    low: float
    high: float
    basis: str

    def as_json(self) -> dict[str, Any]:
        return {"estimate_low": self.low, "estimate_seconds": self.high, "estimate_basis": self.basis}


def measured(plan: Plan, records: int, preview_seconds: float) -> dict[str, Any]:
    """What a preview says of its size and of how long the run will take."""
    extracts = {item["extract"] for item in plan.included}
    expected = estimate(plan.kind, extracts, records, preview_seconds, now=timezone.now())
    return {"records": records, "preview_seconds": preview_seconds, **expected.as_json()}


def estimate(kind: str, extracts: Iterable[str], records: int, preview_seconds: float, *, now: datetime) -> Estimate:
    """From the seconds a record of jobs of this kind about any of the extracts; where few, from the preview."""
    paces = _paces(kind, frozenset(extracts), now)
    if len(paces) < FEWEST_JOBS or records < LEAST_RECORDS:
        return Estimate(preview_seconds, preview_seconds * PREVIEW_FACTOR, "half as long again as the preview")
    low, high = _percentiles(paces)
    return Estimate(low * records, high * records, f"{len(paces)} such jobs, last {LOOKED_BACK.days} days")


def _paces(kind: str, extracts: frozenset[str], now: datetime) -> list[float]:
    """Seconds a record of each job that has published, newest first."""
    published = Job.objects.filter(
        kind=kind,
        state__in=[*Job.PUBLISHED, Job.State.ROLLED_BACK],
        started_at__isnull=False,
        finished_at__gt=now - LOOKED_BACK,
    ).select_related("plan")
    paces = []
    for job in published.order_by("-finished_at")[:MOST_JOBS]:
        about = {item["extract"] for item in job.plan.included}
        if about & extracts and job.took and (job.plan.records or 0) >= LEAST_RECORDS:
            paces.append(job.took.total_seconds() / (job.plan.records or 1))
    return paces


def _percentiles(paces: Sequence[float]) -> tuple[float, float]:
    cuts = quantiles(paces, n=10, method="inclusive")
    return cuts[4], cuts[8]
