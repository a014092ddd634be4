"""The circuit breaker: stops a job whose preview looks wrong, and every later one of that extract, until a person acts.

It judges what a preview has counted, before anything is published. A share is judged only where at least
LEAST_RECORDS records are concerned: one bad record of three says nothing.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from access import rights
from audit.transitions import StateChangedError, move
from jobs.models import Job
from reprocessing.models import Breaker
from warehouse.diff import Counts

MOST_REJECTED = 0.05  # of the records read, and more than in the attempts that would be replaced
MOST_DRIFT = 0.5  # fewer or more records than in the attempts that would be replaced
MOST_REMOVED = 0.2  # of the keys that staging holds now
MOST_FAILURES = 5  # files in a row that cannot be read
LEAST_RECORDS = 10


@dataclass(frozen=True)
class Evidence:
    """What a preview has found of one extract. `before_*` is of the attempts that would be replaced (None: unknown)."""

    counts: Counts
    malformed: int = 0
    before_read: int | None = None
    before_rejected: int | None = None
    failures_in_a_row: int = 0


def judge(found: Evidence) -> list[str]:
    """What is wrong with it, in words; nothing when the job may go ahead. Every limit is strict."""
    return [*_rejected(found), *_drifted(found), *_removed(found), *_failing(found)]


def _rejected(found: Evidence) -> Iterable[str]:
    read, refused = found.counts.records + found.malformed, found.counts.rejected + found.malformed
    if refused < LEAST_RECORDS or refused / read <= MOST_REJECTED:
        return
    told = f"{_share(refused / read)} of the records were rejected (limit {_share(MOST_REJECTED)})."
    if found.before_read and found.before_rejected is not None:
        before = found.before_rejected / found.before_read
        if refused / read <= before:
            return
        told += f" Of the attempts it would replace it was {_share(before)}."
    yield told


def _drifted(found: Evidence) -> Iterable[str]:
    before, now = found.before_read, found.counts.records + found.malformed
    if before and max(before, now) >= LEAST_RECORDS and abs(now - before) / before > MOST_DRIFT:
        yield f"{now:,} records were read, and {before:,} by the attempts to replace (limit ± {_share(MOST_DRIFT)})."


def _removed(found: Evidence) -> Iterable[str]:
    gone = found.counts.deleted
    there = gone + found.counts.updated + found.counts.unchanged + found.counts.kept_newer
    if gone >= LEAST_RECORDS and gone / there > MOST_REMOVED:
        yield f"{gone:,} of {there:,} rows would be removed ({_share(gone / there)}, limit {_share(MOST_REMOVED)})."


def _failing(found: Evidence) -> Iterable[str]:
    if found.failures_in_a_row > MOST_FAILURES:
        yield f"{found.failures_in_a_row:,} files in a row could not be read (limit {MOST_FAILURES})."


def _share(part: float) -> str:
    return f"{100 * part:.3g} %"


def trip(job: Job, whys: Mapping[str, list[str]]) -> None:
    """Open the breakers of these extracts; one that is open already keeps its first reason."""
    for extract, why in whys.items():
        Breaker.objects.get_or_create(extract=extract)
        found = Breaker.objects.get(extract=extract)
        with suppress(StateChangedError):
            move(
                found,
                Breaker.State.OPEN,
                among=[Breaker.State.CLOSED, Breaker.State.HALF_OPEN],
                actor=None,
                detail={"why": why, "job": str(job.pk)},
                why=why,
                tripped_by=job,
                tripped_at=timezone.now(),
                probe=None,
            )


def admit(job: Job, extracts: Iterable[str]) -> list[str]:
    """Why the job may not go ahead, one sentence a breaker. A half-open breaker admits the first job that asks."""
    told = []
    for found in Breaker.objects.filter(extract__in=list(extracts)).exclude(state=Breaker.State.CLOSED):
        if found.state == Breaker.State.OPEN:
            told.append(f"The circuit breaker of {found.extract} is open: {' '.join(found.why)}")
        elif not _probe(found, job):
            told.append(f"The circuit breaker of {found.extract} is half open, and job {found.probe_id} is its trial.")
    return told


def _probe(found: Breaker, job: Job) -> bool:
    """Make the job the trial of a half-open breaker, unless another job that is still active is."""
    with transaction.atomic():
        locked = Breaker.objects.select_for_update().get(pk=found.pk)
        if locked.state != Breaker.State.HALF_OPEN:
            return locked.state == Breaker.State.CLOSED
        if locked.probe is not None and locked.probe_id not in (job.pk, job.parent_id) and locked.probe.active:
            return False
        locked.probe = job
        locked.save(update_fields=["probe"])
        return True


def passed(job: Job) -> None:
    """The job has published well: the half-open breakers whose trial it, or the job it is a part of, was are closed."""
    trial = [pk for pk in (job.pk, job.parent_id) if pk]
    for found in Breaker.objects.filter(probe__in=trial, state=Breaker.State.HALF_OPEN):
        with suppress(StateChangedError):
            move(
                found,
                Breaker.State.CLOSED,
                among=[Breaker.State.HALF_OPEN],
                actor=None,
                detail={"job": str(job.pk)},
                why=[],
                probe=None,
            )


def reset(found: Breaker, actor: User, *, reason: str) -> None:
    """Let one job try again. Raises PermissionDenied, and StateChangedError when it is not open."""
    rights.demand(actor, rights.RESET_BREAKER)
    move(
        found,
        Breaker.State.HALF_OPEN,
        among=[Breaker.State.OPEN],
        actor=actor,
        detail={"reason": reason},
        reset_by=actor,
        reset_reason=reason,
        probe=None,
    )
