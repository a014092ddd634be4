"""Who works on a job now: a lease, taken by one conditional UPDATE that raises the epoch."""

import os
import socket
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection as console
from django.db.models import F, Q
from django.utils import timezone

from audit.transitions import StateChangedError
from jobs import kinds
from jobs.ending import end
from jobs.models import Job
from warehouse.errors import TellableError

LEASE = timedelta(seconds=float(os.environ.get("RESTAGE_LEASE_SECONDS", "30")))
BEAT_SECONDS = LEASE.total_seconds() / 10
MOST_ATTEMPTS = 3


class Cancelled(TellableError):
    """Somebody has asked to cancel the job."""


class Lost(TellableError):
    """Another worker has the job now."""


def claim(job_id: UUID, *, now: datetime | None = None) -> Job | None:
    """The job with a new epoch, or None when there is nothing to do for it or another worker has it.

    A job that has lost three workers is given up.
    """
    now = now or timezone.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    open_jobs = Job.objects.filter(free, pk=job_id, state__in=Job.WORKABLE)
    claimed = open_jobs.filter(attempts__lt=MOST_ATTEMPTS).update(
        epoch=F("epoch") + 1, attempts=F("attempts") + 1, lease_until=now + LEASE, worker=_me()
    )
    if claimed:
        return Job.objects.select_related("plan", "requested_by").get(pk=job_id)
    if (job := open_jobs.filter(attempts__gte=MOST_ATTEMPTS).first()) is not None:
        _give_up(job)
    return None


def _me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def _give_up(job: Job) -> None:
    told = (
        f"Given up: its worker died {MOST_ATTEMPTS} times. What it had not published was undone;"
        " the journal of the warehouse says what was."
    )
    with suppress(StateChangedError):  # another reconciler was quicker
        if (steps := kinds.of(job).steps) and job.state == Job.State.RUNNING:
            steps.pause(job, f"Its worker died {MOST_ATTEMPTS} times between two steps.")
            return
        end(job, Job.State.FAILED, among=Job.WORKABLE, error=told)


class Claim:
    """A claimed job being worked on: keeps the lease while the block runs, and hears of a cancel."""

    def __init__(self, job: Job, connection: psycopg.Connection) -> None:
        self.job, self.connection, self.epoch = job, connection, job.epoch
        self._stop, self._cancelled, self._lost = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._told: tuple[str, int] = ("", 0)
        self._told_at: datetime | None = None

    def __enter__(self) -> "Claim":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def mine(self) -> dict[str, Any]:
        """The condition under which this claim may still write the job."""
        return {"epoch": self.epoch}

    def progress(self, what: str, records: int) -> None:
        """Say how far it is, once a second at most. Raises Cancelled, Lost."""
        if self._cancelled.is_set():
            raise Cancelled("Cancelled. What it had not published was undone; staging is unchanged.")
        if self._lost.is_set():
            raise Lost("Another worker has this job now.")
        now = timezone.now()
        if self._told[0] == what and self._told_at and now - self._told_at < timedelta(seconds=1):
            return
        self._told, self._told_at = (what, records), now
        Job.objects.filter(pk=self.job.pk, epoch=self.epoch).update(progress={"what": what, "records": records})

    def _beat(self) -> None:
        """Renew the lease; stop the warehouse's statement when the job is cancelled or lost."""
        try:
            while not self._stop.wait(BEAT_SECONDS):
                held = Job.objects.filter(lease_until__isnull=False)  # a lease that was given up is not taken back
                mine = held.filter(pk=self.job.pk, epoch=self.epoch, state__in=Job.WORKABLE)
                if not mine.update(lease_until=timezone.now() + LEASE):
                    self._lost.set()
                elif mine.filter(cancel_asked=True).exists():
                    self._cancelled.set()
                if self._lost.is_set() or self._cancelled.is_set():
                    self.connection.cancel_safe(timeout=5)
        finally:
            console.close()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    @property
    def lost(self) -> bool:
        return self._lost.is_set()
