"""Who works on a job now: a lease, taken by one conditional UPDATE that raises the epoch."""

import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as console
from django.db.models import F, Q
from django.utils import timezone

from audit.transitions import StateChangedError
from jobs import kinds
from jobs.ending import end
from jobs.models import Job
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.progress import Progress

LEASE = timedelta(seconds=float(os.environ.get("RESTAGE_LEASE_SECONDS", "30")))
BEAT_SECONDS = LEASE.total_seconds() / 10
MOST_ATTEMPTS = 3
CANCELLED = "Cancelled. What it had not published was undone; staging is unchanged."


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
    due = Q(not_before__isnull=True) | Q(not_before__lte=now)
    open_jobs = Job.objects.filter(free, due, pk=job_id, state__in=Job.WORKABLE)
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
    """Quarantine a job that kills its workers, unless it has published: its last worker died in between."""
    with connect(settings.WAREHOUSE_URL, purpose="giving up") as connection:
        if kinds.of(job).published(connection, job.pk) is not None:
            Job.objects.filter(pk=job.pk, epoch=job.epoch).update(attempts=MOST_ATTEMPTS - 1)
            return
        kinds.of(job).given_up(connection, job)
    told = (
        f"Its worker died {MOST_ATTEMPTS} times in a row, so no further one tries. Staging is unchanged. The log of"
        " the worker's machine may say why (memory, as a rule); a retry begins anew."
    )
    with suppress(StateChangedError):  # another reconciler was quicker
        if (steps := kinds.of(job).steps) and job.state == Job.State.RUNNING:
            steps.pause(job, f"Its worker died {MOST_ATTEMPTS} times between two steps.")
            return
        end(job, Job.State.QUARANTINED, among=Job.WORKABLE, error=told)


def hold(job: Job) -> None:
    """Read the job's state anew. Raises Lost where this claim does not have it any more, or its step is done, and
    Cancelled where somebody asked for that and no worker has heard of it yet."""
    mine = Job.objects.filter(pk=job.pk, epoch=job.epoch, state__in=Job.WORKABLE, lease_until__isnull=False)
    found = mine.values_list("state", "cancel_asked").first()
    if found is None:
        raise Lost("Another worker has this job now.")
    job.state, cancel_asked = found
    if cancel_asked:
        raise Cancelled(CANCELLED)


def put_down(job: Job, *, until: datetime | None = None) -> None:
    """Leave the job to a later worker, not before `until`, as nothing is wrong with it: the attempt does not count."""
    Job.objects.filter(pk=job.pk, epoch=job.epoch, state__in=Job.WORKABLE).update(
        lease_until=None, attempts=F("attempts") - 1, worker="", not_before=until
    )


class Claim:
    """A claimed job being worked on: keeps the lease while the block runs, and hears of a cancel.

    `connection` is the one that is used now: after a lost one the work goes on with another.
    """

    def __init__(self, job: Job) -> None:
        self.job, self.epoch = job, job.epoch
        self._connection: psycopg.Connection | None = None
        self._leased_until = time.monotonic() + LEASE.total_seconds()
        self._stop, self._cancelled, self._lost = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._told, self._told_at = "", 0.0

    def __enter__(self) -> "Claim":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def connection(self) -> psycopg.Connection:
        if self._connection is None:
            raise RuntimeError("Work begins with use(): this claim has no connection yet.")
        return self._connection

    def use(self, connection: psycopg.Connection) -> None:
        """Work with this connection from now on."""
        self._connection = connection

    @property
    def mine(self) -> dict[str, Any]:
        """The condition under which this claim may still write the job."""
        return {"epoch": self.epoch}

    def check(self) -> None:
        """Raises Cancelled, Lost."""
        if self._cancelled.is_set():
            raise Cancelled(CANCELLED)
        if self._lost.is_set():
            raise Lost("Another worker has this job now.")

    def wait(self, seconds: float) -> None:
        """Wait, unless there is a reason to stop. Raises Cancelled, Lost."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.2))
        self.check()

    def progress(self, said: Progress) -> None:
        """Say how far it is, once a second at most. Raises Cancelled, Lost."""
        self.check()
        now = time.monotonic()
        if said.what != self._told or now > self._told_at + 1:
            self._told, self._told_at = said.what, now
            Job.objects.filter(pk=self.job.pk, epoch=self.epoch).update(progress=asdict(said))

    def _beat(self) -> None:
        """Renew the lease; stop the warehouse's statement when the job is cancelled or lost."""
        try:
            while not self._stop.wait(BEAT_SECONDS):
                with suppress(DatabaseError):  # the console is away: the lease that is left still holds
                    self._renew()
                if time.monotonic() > self._leased_until:
                    self._lost.set()
                if self._lost.is_set() or self._cancelled.is_set():
                    self._stop_statement()
        finally:
            console.close()

    def _stop_statement(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):  # it is lost itself
                self._connection.cancel_safe(timeout=5)

    def _renew(self) -> None:
        try:
            held = Job.objects.filter(lease_until__isnull=False)  # a lease that was given up is not taken back
            mine = held.filter(pk=self.job.pk, epoch=self.epoch, state__in=Job.WORKABLE)
            if not mine.update(lease_until=timezone.now() + LEASE):
                self._lost.set()
            elif mine.filter(cancel_asked=True).exists():
                self._cancelled.set()
            self._leased_until = time.monotonic() + LEASE.total_seconds()
        except DatabaseError:
            console.close()
            raise
