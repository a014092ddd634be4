"""The kind of job that takes published jobs back: preview, execution, and what the jobs taken back hear of it."""

from time import monotonic
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from archives import proving
from archives.proving import Use
from audit.transitions import move, record
from jobs.kinds import Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from reprocessing import effects, estimates, planning
from reprocessing.models import Wave
from warehouse import journal, proofs, registry, rollback
from warehouse.rollback import ROLLBACK as ROLLED_BACK
from warehouse.rollback import Expected
from warehouse.undoing import Undo

NAME = "rollback"


def undo_of(plan: Plan) -> Undo:
    """What a plan of this kind takes back."""
    jobs = plan.options.get("jobs") or [plan.options["job"]]
    return Undo(tuple(UUID(job) for job in jobs), tuple(plan.options.get("tables", ())))


def rollbacks_of(job: Job) -> list[Job]:
    """The rollbacks that were asked for and take this job back, newest first; not those that came to nothing."""
    asked = Job.objects.filter(kind=NAME, plan__options__jobs__contains=[str(job.pk)]) | job.rollbacks.all()
    return list(asked.exclude(state__in=[Job.State.CANCELLED, Job.State.REJECTED]).distinct())


def _preview(run: Run) -> Preview:
    writer, plan, began = writer_of(run), run.job.plan, monotonic()
    journal.raise_fence(run.connection, writer)
    found = rollback.preview(run.connection, registry.current(), undo_of(plan), writer)
    seconds = monotonic() - began
    records = sum(diff.counts.records for diff in found.diffs.values())
    preview = {
        "tables": {table: diff.as_json() for table, diff in found.diffs.items()},
        "samples": found.samples,
        "causes": {},
        "on_top": found.on_top,
        "exact": found.exact,
        **estimates.measured(plan, records, seconds),
    }
    return Preview(plan.included, plan.excluded, preview)


def _execute(run: Run) -> dict[str, Any]:
    plan = run.job.plan
    exact = (plan.preview or {}).get("exact", {})
    expected, undo = Expected(planning.expected(plan), exact), undo_of(plan)

    def take_back() -> dict[str, Any]:
        return rollback.execute(run.connection, registry.current(), undo, writer_of(run), expected=expected)

    def use(outcome: dict[str, Any]) -> Use:
        rows = sum(map(effects.changes, outcome["tables"].values()))
        told = f"Job {undo.jobs[0]} was rolled back."
        return Use(proofs.BEFORE_IMAGE if exact and all(exact.values()) else proofs.RAW, rows, told)

    return proving.timed(run, ROLLED_BACK, take_back, use)


def _ended(rollback_job: Job) -> None:
    """Tell every job that was to be taken back what became of it; what has nothing left is rolled back."""
    outcome = rollback_job.outcome or {}
    for job in Job.objects.filter(pk__in=undo_of(rollback_job.plan).jobs):
        _tell(job, rollback_job, left=outcome.get("left", {}).get(str(job.pk), 0))
        if job.parent_id:
            _tell_parent(job.parent, rollback_job)


def _tell(job: Job, rollback_job: Job, *, left: int) -> None:
    actor: User = rollback_job.requested_by
    detail = {"rollback": str(rollback_job.pk)}
    if rollback_job.state != Job.State.SUCCEEDED:
        record(None, f"rollback {rollback_job.state}", job, detail)
    elif left:
        record(actor, "job partly rolled back", job, {**detail, "tables": sorted(rollback_job.tables), "left": left})
    elif job.state in Job.PUBLISHED:
        move(job, Job.State.ROLLED_BACK, among=Job.PUBLISHED, actor=actor, detail=detail)
        for wave in Wave.objects.filter(job=job):
            move(wave, Wave.State.ROLLED_BACK, among=Wave.PUBLISHED, actor=actor, detail=detail)


def _tell_parent(parent: Job | None, rollback_job: Job) -> None:
    """A job is rolled back once it is over and each of its parts that had published is."""
    over = (*Job.PUBLISHED, Job.State.CANCELLED)
    if parent is None or parent.state not in over or rollback_job.state != Job.State.SUCCEEDED:
        return
    if not parent.children.filter(state__in=Job.PUBLISHED).exists():
        detail = {"rollback": str(rollback_job.pk)}
        move(parent, Job.State.ROLLED_BACK, among=over, actor=rollback_job.requested_by, detail=detail)


KIND = Kind(
    NAME,
    "Rollback",
    True,
    _preview,
    _execute,
    lambda connection, job_id: journal.done(connection, job_id, ROLLED_BACK),
    ended=_ended,
)
