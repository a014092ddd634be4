"""Asking for a job: the one way that page, command and API take."""

from uuid import UUID

from django.contrib.auth.models import User

from access import rights
from jobs import submission
from jobs.models import Job, Plan
from reprocessing import planning
from reprocessing.execution import ROLLBACK
from reprocessing.planning import CannotPlanError, Options
from warehouse import registry, rollback
from warehouse.connections import connect


def ask_reprocess(
    url: str, load_run_id: UUID, options: Options, *, reason: str, actor: User, dry_run: bool = False
) -> Job:
    """Plan the reprocessing of a run and have its preview made.

    Raises PermissionDenied, CannotPlanError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.REPROCESS)
    if active := Job.objects.filter(load_run_id=load_run_id, state__in=Job.ACTIVE).first():
        raise submission.AlreadyActiveError(active)
    with connect(url, purpose="plan") as connection:
        selection = planning.select(connection, registry.current(), load_run_id, options)
    return submission.submit(planning.plan(selection, options, reason), actor, dry_run=dry_run)


def ask_rollback(url: str, job: Job, *, reason: str, actor: User) -> Job:
    """Plan the rollback of a published job. Raises what ask_reprocess raises, and CannotRollBackError."""
    rights.demand(actor, rights.ROLL_BACK)
    if job.state != Job.State.SUCCEEDED or job.kind != planning.KIND:
        raise CannotPlanError(f"Only a reprocessing that succeeded can be rolled back; this job is {job.state}.")
    with connect(url, purpose="plan") as connection:
        rollback.changes_of(connection, registry.current(), job.pk)
    plan = Plan(
        kind=ROLLBACK,
        load_run_id=job.load_run_id,
        reason=reason,
        options={"job": str(job.pk), "source": "before-image"},
        included=[{**item, "records": None} for item in job.plan.included],
    )
    return submission.submit(plan, actor, undoes=job)
