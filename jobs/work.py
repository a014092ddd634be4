"""What a worker does with a job: claim it, preview or execute it, note the outcome."""

import logging
from contextlib import suppress
from random import SystemRandom
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as console
from django.utils import timezone

from audit import circumstances
from audit.transitions import StateChangedError, move
from jobs import claims, kinds
from jobs.claims import Cancelled, Claim, Lost
from jobs.ending import end
from jobs.models import Job
from jobs.submission import NotYetError, after_preview, check_permit
from warehouse import aside, journal, marks
from warehouse.connections import MOST_STATEMENT_MINUTES, connect
from warehouse.errors import PassingError, TellableError, defect_of, passing, reason_of
from warehouse.journal import LostFenceError, Writer, session_purpose
from warehouse.locks import BusyError

log = logging.getLogger(__name__)

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before each further try, shortened by chance
AWAY = (OperationalError, InterfaceError)  # of the console's database
CONTENDED = ("40001", "40P01")  # serialization failure, deadlock: no outage, so no reason to wait for ever


class DefectError(RuntimeError):
    """A worker stopped at an unforeseen error. The queue keeps the text and the traceback of what a task raises, so
    this says its type and place only, and the error itself is not chained to it."""


def run(job_id: UUID) -> None:
    """Do for a job what is to be done now; nothing, when another worker does it."""
    job = claims.claim(job_id)
    if job is None:
        return
    with circumstances.of(circumstances.WORKER, on_behalf_of=job.requested_by.get_username()):
        _run(job)


def _run(job: Job) -> None:
    with suppress(Lost, LostFenceError, StateChangedError):  # whoever has the job now says what becomes of it
        try:
            with Claim(job) as claim:
                _persist(job, claim)
            _tidy(job)
        except (Lost, LostFenceError, StateChangedError, *AWAY):
            raise
        except Exception as error:
            if not _settled(job):
                _not_done(job, error)
            if not isinstance(error, psycopg.Error | OSError | TellableError):
                raise


def _persist(job: Job, claim: Claim) -> None:
    """Work; after a deadlock, a lost connection and the like as a whole again: the journal knows what is done.

    A database that stays away is no fault of the job: it is put down for a later worker.
    """
    for wait in (*WAITS, None):
        try:
            with connect(settings.WAREHOUSE_URL, purpose=session_purpose(job.pk)) as connection:
                claim.use(connection)
                return _work(job, claim)
        except (psycopg.Error, PassingError, *AWAY) as error:
            if not (isinstance(error, AWAY) or passing(error)):
                raise
            if isinstance(error, AWAY):
                console.close()
            if wait is not None:
                claim.wait(wait * SystemRandom().uniform(0.5, 1.0))  # spreads the workers
            elif isinstance(error, BusyError) or getattr(error, "sqlstate", None) in CONTENDED:
                raise
            else:
                claims.put_down(job)


def _work(job: Job, claim: Claim) -> None:
    try:
        claims.hold(job)
        if job.state == Job.State.PREVIEWING:
            _preview(job, claim)
        else:
            _execute(job, claim)
    except NotYetError as error:
        claims.put_down(job, until=error.moment)
    except psycopg.errors.QueryCanceled as error:
        claim.check()
        told = f"A statement took longer than {MOST_STATEMENT_MINUTES} min and was stopped. Staging is unchanged."
        raise TellableError(told) from error


def _preview(job: Job, claim: Claim) -> None:
    found = kinds.of(job).preview(claim)
    with transaction.atomic():
        job.plan.freeze(included=found.included, excluded=found.excluded, preview=found.preview)
        if found.refused and not job.dry_run:
            _end(job, Job.State.FAILED, found.refused)
        else:
            after_preview(job, where=claim.mine)


def _execute(job: Job, claim: Claim) -> None:
    kind = kinds.of(job)
    going = kind.steps is not None and job.state == Job.State.RUNNING
    if not going and kind.published(claim.connection, job.pk) is None:  # else a worker died between commit and note
        check_permit(job)
    if job.state == Job.State.QUEUED:
        marks.restore_point(claim.connection, job.pk)
        move(job, Job.State.RUNNING, among=[Job.State.QUEUED], actor=None, where=claim.mine, started_at=timezone.now())
    outcome = kind.execute(claim)
    if outcome is None:
        Job.objects.filter(pk=job.pk, **claim.mine).update(lease_until=None, attempts=0)
    else:
        _succeed(job, outcome)


def _succeed(job: Job, outcome: dict[str, object]) -> None:
    state = Job.State.PARTIAL if job.plan.not_read else Job.State.SUCCEEDED
    end(job, state, among=[Job.State.RUNNING], where={"epoch": job.epoch}, outcome=outcome)


def _settled(job: Job) -> bool:
    """Whether it has published before it was stopped, or nobody can tell now: the warehouse's journal knows.

    A commit may have come through though its answer did not, or a later statement failed or was cancelled. Raises
    LostFenceError.
    """
    if job.state != Job.State.RUNNING:
        return False
    try:
        with connect(settings.WAREHOUSE_URL, purpose=session_purpose(job.pk)) as connection:
            # ends what the job's former session may still be committing
            journal.raise_fence(connection, Writer(job.pk, job.epoch, job.requested_by.get_username()))
            outcome = kinds.of(job).published(connection, job.pk)
    except (PassingError, psycopg.Error):
        claims.put_down(job)
        return True
    if outcome is not None:
        _succeed(job, outcome)
    return outcome is not None


def _not_done(job: Job, error: Exception) -> None:
    if isinstance(error, Cancelled):
        _end(job, Job.State.CANCELLED, str(error))
    elif isinstance(error, psycopg.Error | OSError):
        _fail(job, f"{reason_of(error)} Nothing was published; staging is unchanged.")
    elif isinstance(error, TellableError):
        _fail(job, str(error))
    else:
        _fail(job, f"{reason_of(error)} This is a defect of Restage. Staging is as it was before the job.")


def _tidy(job: Job) -> None:
    """Drop what the job has aside if it is over; where that fails, the reconciler does it."""
    if not Job.objects.filter(pk=job.pk, state__in=Job.WORKABLE).exists():
        with (
            suppress(PassingError, psycopg.Error),
            connect(settings.WAREHOUSE_URL, purpose=session_purpose(job.pk)) as connection,
        ):
            aside.sweep(connection, job.pk)


def _fail(job: Job, told: str) -> None:
    steps = kinds.of(job).steps
    if steps and job.state == Job.State.RUNNING:
        steps.pause(job, told)
    else:
        _end(job, Job.State.FAILED, told)


def _end(job: Job, state: str, told: str) -> None:
    end(job, state, among=Job.WORKABLE, where={"epoch": job.epoch}, error=told)
    _tidy(job)


def answer(job_id: str) -> None:
    """What a worker does when it is rung for. Raises DefectError in place of whatever was not foreseen."""
    try:
        run(UUID(job_id))
        return
    except Exception as error:  # its message may quote a value of a row
        told = defect_of(error)
    log.error("Job %s stopped at %s", job_id, told)
    raise DefectError(told)
