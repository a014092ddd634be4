"""Asking for a job: the one way that page, command and API take."""

from collections.abc import Sequence
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
    url: str, load_runs: Sequence[UUID], options: Options, *, reason: str, actor: User, dry_run: bool = False
) -> Job:
    """Plan the reprocessing of one or more runs and have its preview made.

    Of several runs those that another active job is about are left out, with that reason. Raises PermissionDenied,
    CannotPlanError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.REPROCESS)
    held = submission.holders(load_runs)
    if held and len(held) == len(set(load_runs)):
        raise submission.AlreadyActiveError(*next(iter(held.items())))
    with connect(url, purpose="plan") as connection:
        selection = planning.select(connection, registry.current(), load_runs, options, held)
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
        reason=reason,
        options={"job": str(job.pk), "source": "before-image"},
        included=[{**item, "records": None} for item in job.plan.included],
    )
    return submission.submit(plan, actor, undoes=job)
