"""How a job comes to be, and where it goes once its preview is made."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.reasons import said
from audit.transitions import StateChangedError, move, record
from jobs import doorbell, kinds
from jobs.ending import end
from jobs.models import Job, JobRun, Plan
from jobs.origin import Origin
from warehouse.errors import TellableError

Gate = Callable[[Job, dict[str, Any]], None]
Permit = Callable[[Job], None]
_gates: list[Gate] = []
_permits: list[Permit] = []


class AlreadyActiveError(TellableError):
    """A load run has an active job, `job`."""

    def __init__(self, load_run_id: UUID, job: Job) -> None:
        super().__init__(f"Load run {load_run_id} has an active job already: {job.pk} ({job.state}).")
        self.job = job


class CannotAskError(TellableError):
    """There is nothing to ask for; the message says why. Nothing was changed."""


class NotPermittedError(TellableError):
    """The job may not be carried out; the message says why. Nothing was changed."""


class NotYetError(TellableError):
    """The job may not begin before `moment`. Nothing was changed."""

    def __init__(self, moment: datetime) -> None:
        super().__init__(f"It may not begin before {timezone.localtime(moment):%Y-%m-%d %H:%M %Z}.")
        self.moment = moment


def use(gate: Gate, permit: Permit) -> None:
    """`gate` decides what becomes of a previewed job and must move it on; `permit` raises NotPermittedError where the
    job may not be carried out after all, NotYetError where it must wait."""
    _gates[:], _permits[:] = [gate], [permit]


def check_permit(job: Job) -> None:
    """Asked by the worker before it carries a job out, each time anew. Raises NotPermittedError, NotYetError."""
    if job.plan.digest != job.plan.computed_digest() or job.kind != job.plan.kind:
        raise NotPermittedError("The plan is not the one that was frozen: something changed it. Nothing was done.")
    _permits[0](job)


def holders(load_runs: Iterable[UUID]) -> dict[UUID, Job]:
    """Load run → the active job that holds it, of those that are held."""
    held = JobRun.objects.filter(load_run_id__in=list(load_runs), held=True).select_related("job")
    return {run.load_run_id: run.job for run in held}


def submit(
    plan: Plan,
    actor: User,
    *,
    dry_run: bool = False,
    undoes: Job | None = None,
    parent: Job | None = None,
    also: Iterable[UUID] = (),
    about: Iterable[UUID] = (),
    origin: Origin | None = None,
    within: Callable[[Job], None] = lambda job: None,
) -> Job:
    """Save the plan and its job, hold its load runs (and `also` these), and have its preview made.

    A job with a `parent` holds none: the parent does; nor are those held that it is only `about`. `origin`: what asks,
    on whose behalf. `within` is called in the transaction that makes the job: what it raises keeps the job from being
    made. Raises AlreadyActiveError, CannotAskError.
    """
    plan.reason = said(plan.reason)
    if not plan.reason:
        raise CannotAskError("The reason shows nothing: say why, in words that others can read. Nothing was asked for.")
    if origin:
        plan.options["origin"] = origin.as_json()
    load_runs = sorted({*plan.load_runs, *also})
    try:
        with transaction.atomic():
            plan.save(force_insert=True)
            job = Job.objects.create(
                plan=plan,
                kind=plan.kind,
                requested_by=actor,
                dry_run=dry_run,
                undoes=undoes,
                parent=parent,
            )
            JobRun.objects.bulk_create(JobRun(job=job, load_run_id=run, held=parent is None) for run in load_runs)
            JobRun.objects.bulk_create(JobRun(job=job, load_run_id=run, held=False) for run in about)
            record(actor, "job requested", job, {"kind": plan.kind, "reason": plan.reason, "dry_run": dry_run})
            within(job)
            if origin:
                record(None, f"asked by {origin.told}"[:60], job, {"on behalf of": origin.owner.get_username()})
                origin.within(job)
            doorbell.ring(job.pk)
    except IntegrityError:
        held = holders(load_runs)
        if not held:
            raise
        raise AlreadyActiveError(*next(iter(held.items()))) from None
    return job


def in_place_of(former: Job) -> dict[str, Any]:
    """What the options of a plan say that is made in place of another job's: who had a hand in that one has one in
    this too."""
    return {"follows": str(former.pk), "asked_before_by": sorted(former.asked_by)}


def after_preview(job: Job, *, where: dict[str, Any]) -> None:
    """Send a previewed job on: to its end if it is a dry run, else through the gate."""
    if job.dry_run:
        end(job, Job.State.PREVIEWED, among=[Job.State.PREVIEWING], where=where)
    else:
        _gates[0](job, where)


def queue(
    job: Job,
    *,
    among: list[str],
    actor: User | None,
    where: dict[str, Any] | None = None,
    not_before: datetime | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Let a worker carry the job out, not before this moment. Raises StateChangedError."""
    move(
        job,
        Job.State.QUEUED,
        among=among,
        actor=actor,
        where=where,
        detail={"plan digest": job.plan.digest, **(detail or {})},
        attempts=0,
        lease_until=None,
        worker="",
        progress={},
        not_before=not_before,
    )
    doorbell.ring(job.pk)


def cancel(job: Job, actor: User) -> bool:
    """Cancel the job if no worker has it, else ask its worker to stop; whether it is cancelled at once.

    Raises StateChangedError when it is over already, or just beginning with the first of its steps.
    """
    idle = ["previewing", "queued", "awaiting approval"]
    steps = kinds.of(job).steps
    if steps and job.state in (Job.State.RUNNING, Job.State.PAUSED):
        steps.cancel(job, actor)
        return False
    with transaction.atomic():
        locked = Job.objects.select_for_update().get(pk=job.pk)
        if locked.state in idle and locked.lease_until is None:
            end(job, Job.State.CANCELLED, among=idle, actor=actor)
            return True
        if steps and locked.state != Job.State.PREVIEWING:
            raise StateChangedError("Its first step is just beginning. Nothing was cancelled; ask again.")
        move(job, locked.state, among=Job.WORKABLE, actor=actor, cancel_asked=True, detail={"asked": "cancel"})
        return False
