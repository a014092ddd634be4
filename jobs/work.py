"""What a worker does with a job: claim it, preview or execute it, note the outcome."""

from contextlib import suppress
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.transitions import StateChangedError, move
from jobs import claims, kinds
from jobs.claims import Cancelled, Claim, Lost
from jobs.ending import end
from jobs.models import Job
from jobs.submission import after_preview, check_permit
from warehouse.connections import connect
from warehouse.errors import TellableError, reason_of
from warehouse.journal import LostFenceError


def run(job_id: UUID) -> None:
    """Do for a job what is to be done now; nothing, when another worker does it."""
    job = claims.claim(job_id)
    if job is None:
        return
    with suppress(Lost, LostFenceError, StateChangedError):  # whoever has the job now says what becomes of it
        try:
            with (
                connect(settings.WAREHOUSE_URL, purpose=f"job {job.pk}") as connection,
                Claim(job, connection) as claim,
            ):
                _work(job, claim)
        except (Lost, LostFenceError, StateChangedError):
            raise
        except TellableError as error:
            _fail(job, str(error))
        except Exception as error:
            _fail(job, f"{reason_of(error)} This is a defect of Restage. Staging is as it was before the job.")
            raise


def _work(job: Job, claim: Claim) -> None:
    try:
        if job.state == Job.State.PREVIEWING:
            _preview(job, claim)
        else:
            _execute(job, claim)
    except Cancelled as error:
        _cancel(job, str(error))
    except psycopg.errors.QueryCanceled as error:
        if claim.lost:
            raise Lost("Another worker has this job now.") from error
        if not claim.cancelled:
            raise TellableError(f"{reason_of(error)} Staging is unchanged.") from error
        _cancel(job, "Cancelled. What it had not published was undone; staging is unchanged.")
    except (psycopg.Error, OSError) as error:
        _settle(job, error)


def _preview(job: Job, claim: Claim) -> None:
    found = kinds.of(job).preview(claim)
    with transaction.atomic():
        job.plan.freeze(included=found.included, excluded=found.excluded, preview=found.preview)
        if found.refused and not job.dry_run:
            _fail(job, found.refused)
        else:
            after_preview(job, where=claim.mine)


def _execute(job: Job, claim: Claim) -> None:
    kind = kinds.of(job)
    going = kind.steps is not None and job.state == Job.State.RUNNING
    if not going and kind.published(claim.connection, job.pk) is None:  # else a worker died between commit and note
        check_permit(job)
    if job.state == Job.State.QUEUED:
        move(job, Job.State.RUNNING, among=[Job.State.QUEUED], actor=None, where=claim.mine, started_at=timezone.now())
    outcome = kind.execute(claim)
    if outcome is None:
        Job.objects.filter(pk=job.pk, **claim.mine).update(lease_until=None, attempts=0)
    else:
        _succeed(job, outcome)


def _succeed(job: Job, outcome: dict[str, object]) -> None:
    end(job, Job.State.SUCCEEDED, among=[Job.State.RUNNING], where={"epoch": job.epoch}, outcome=outcome)


def _settle(job: Job, error: Exception) -> None:
    """An error of the database may hide a commit that came through: the warehouse's journal knows."""
    with connect(settings.WAREHOUSE_URL, purpose=f"job {job.pk}") as connection:
        outcome = kinds.of(job).published(connection, job.pk)
    if outcome is not None and job.state == Job.State.RUNNING:
        _succeed(job, outcome)
    else:
        _fail(job, f"{reason_of(error)} Nothing was published; staging is unchanged.")


def _fail(job: Job, told: str) -> None:
    steps = kinds.of(job).steps
    if steps and job.state == Job.State.RUNNING:
        steps.pause(job, told)
    else:
        _end(job, Job.State.FAILED, told)


def _cancel(job: Job, told: str) -> None:
    _end(job, Job.State.CANCELLED, told)


def _end(job: Job, state: str, told: str) -> None:
    end(job, state, among=Job.WORKABLE, where={"epoch": job.epoch}, error=told)


def answer(job_id: str) -> None:
    """What a worker does when it is rung for."""
    run(UUID(job_id))
