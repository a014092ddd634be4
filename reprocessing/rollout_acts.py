"""What people do to a rollout: promote, promote all, pause, abort, abort and roll back."""

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit.reasons import said
from audit.transitions import StateChangedError, move, record
from jobs import doorbell
from jobs.models import Job
from reprocessing.models import Rollout, Wave
from warehouse.errors import TellableError


class NeedsReasonError(TellableError):
    """The act needs a reason. Nothing was changed."""


def promote(job: Job, actor: User, *, reason: str = "", waiting: int | None = None) -> None:
    """Go on with the next wave, or try a stopped one again. Past a failed check that needs a reason.

    `waiting`: the number of the wave that the actor saw waiting (0: none was left; None: does not matter). Raises
    PermissionDenied, NeedsReasonError, StateChangedError when it is not paused, or waits with another wave by now.
    """
    rights.demand(actor, rights.REPROCESS)
    with transaction.atomic():
        rollout = _locked(job)
        _refuse_unseen(rollout, waiting)
        _go_on(job, rollout, actor, reason, [Job.State.PAUSED], act="promote")


def promote_all(job: Job, actor: User, *, reason: str = "", waiting: int | None = None) -> None:
    """Go on to the end without pauses, also past checks that cannot tell; a failed check still stops it.

    Raises what promote() raises; it need not be paused.
    """
    rights.demand(actor, rights.REPROCESS)
    with transaction.atomic():
        rollout = _locked(job)
        _refuse_unseen(rollout, waiting)
        _go_on(job, rollout, actor, reason, [Job.State.PAUSED, Job.State.RUNNING], act="promote all")
        Rollout.objects.filter(pk=rollout.pk).update(promoted_all=True)


def pause(job: Job, actor: User) -> None:
    """Begin no further wave; one that is under way is finished. Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.CANCEL)
    with transaction.atomic():
        rollout = _locked(job)
        if job.state != Job.State.RUNNING or rollout.abort_by is not None:
            raise StateChangedError("This rollout is not running.")
        Rollout.objects.filter(pk=rollout.pk).update(pause_by=actor)
        record(actor, "rollout pause asked", job)


def abort(job: Job, actor: User, *, reason: str, roll_back: bool = False) -> None:
    """Stop here and keep what is published, or have it taken back by a plan that somebody else must approve.

    A wave under way is cancelled if it has not published. Raises PermissionDenied, NeedsReasonError, and
    StateChangedError when it is over.
    """
    rights.demand(actor, rights.CANCEL)
    if roll_back:
        rights.demand(actor, rights.ROLL_BACK)
    if not said(reason):
        raise NeedsReasonError("Say why it is aborted: everybody who follows it reads that.")
    with transaction.atomic():
        rollout = _locked(job)
        if rollout.abort_by is not None:
            raise StateChangedError("This rollout is being aborted already.")
        detail = {"asked": "abort and roll back" if roll_back else "abort", "reason": reason}
        among = [Job.State.PAUSED, Job.State.RUNNING]
        move(job, Job.State.RUNNING, among=among, actor=actor, detail=detail, attempts=0)
        Rollout.objects.filter(pk=rollout.pk).update(
            abort_by=actor, abort_reason=reason, roll_back=roll_back, why="", resume_at=None
        )
        doorbell.ring(job.pk)


def cancel(job: Job, actor: User) -> None:
    """What cancelling a job means for a rollout under way."""
    abort(job, actor, reason="cancelled")


def _locked(job: Job) -> Rollout:
    """Raises StateChangedError for a job that has not begun its waves."""
    found = Rollout.objects.select_for_update().filter(job=job).first()
    if found is None:
        raise StateChangedError("This rollout has not begun.")
    job.refresh_from_db()
    return found


def _refuse_unseen(rollout: Rollout, waiting: int | None) -> None:
    """Raises StateChangedError where a second click, or one on an old page, would promote another wave."""
    first = rollout.waves.filter(state__in=Wave.TO_DO).first()
    if waiting is not None and waiting != (first.number if first else 0):
        raise StateChangedError("This rollout has gone on since.")


def _go_on(job: Job, rollout: Rollout, actor: User, reason: str, among: list[str], *, act: str) -> None:
    last = rollout.waves.filter(state__in=Wave.PUBLISHED).last()
    stopped = rollout.waves.filter(state=Wave.State.STOPPED).exists()
    failed = last is not None and last.state == Wave.State.FAILED and not stopped
    if job.state == Job.State.PAUSED and failed and not said(reason):
        raise NeedsReasonError("Say why it may go on though a check failed.")
    detail = {"asked": act, "after wave": last.number if last else 0, **({"reason": reason} if reason else {})}
    move(job, Job.State.RUNNING, among=among, actor=actor, detail=detail, attempts=0)
    Rollout.objects.filter(pk=rollout.pk).update(why="", resume_at=None)
    doorbell.ring(job.pk)
