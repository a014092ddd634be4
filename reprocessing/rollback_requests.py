"""Asking for a rollback: of a job, of a job with those that build on it, of a wave or a whole rollout."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit.transitions import record
from jobs import submission
from jobs.models import Job, Plan
from jobs.origin import Origin
from reprocessing import planning, rolling_back
from reprocessing.planning import CannotPlanError
from warehouse import registry, undoing
from warehouse.connections import connect
from warehouse.undoing import Undo, Undoing


@dataclass(frozen=True)
class Way:
    """What a rollback of a job would be about. `later`: jobs that have replaced its attempts since, newest first."""

    undo: Undo
    later: tuple[UUID, ...]
    resolved: Undoing


def can_be_asked(job: Job) -> str:
    """Why no rollback of this job can be asked for ("": it can), as far as the console knows."""
    if job.kind == rolling_back.NAME:
        return "A rollback is not rolled back: ask for the reprocessing of its load runs again."
    if job.kind not in planning.KINDS:
        return f"A {job.kind} is not rolled back."
    over = (*Job.PUBLISHED, Job.State.CANCELLED) if job.kind == planning.ROLLOUT else Job.PUBLISHED
    if job.state not in over:
        return f"Only a reprocessing that succeeded can be rolled back; this job is {job.state}."
    if not _parts(job):
        return "None of its waves is published: there is nothing to take back."
    return ""


def _parts(job: Job) -> list[UUID]:
    """The jobs that published for it: itself, or its waves."""
    if job.kind != planning.ROLLOUT:
        return [job.pk]
    return list(job.children.filter(state__in=Job.PUBLISHED).values_list("pk", flat=True))


def ask(
    url: str,
    job: Job,
    *,
    reason: str,
    actor: User,
    with_later: bool = False,
    tables: Sequence[str] = (),
    follows: Job | None = None,
    origin: Origin | None = None,
) -> Job:
    """Plan the rollback of a published job; of these tables only (none: all). `follows`, `origin`: as of
    ask_reprocess().

    Jobs that have replaced its attempts since are taken back with it, newest first, if `with_later`. Raises
    PermissionDenied, CannotPlanError, CannotRollBackError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.ROLL_BACK)
    if why := can_be_asked(job):
        raise CannotPlanError(why)
    with connect(url, purpose="plan") as connection:
        way = find(connection, job, with_later=with_later, tables=tables)
    return submit(job, way, reason=reason, actor=actor, follows=follows, origin=origin)


def find(connection: psycopg.Connection, job: Job, *, with_later: bool, tables: Sequence[str] = ()) -> Way:
    """Resolve a rollback. Raises CannotPlanError, CannotRollBackError."""
    known = registry.current()
    if unknown := [table for table in tables if table not in {extract.table for extract in known.extracts}]:
        raise CannotPlanError(f"There is no table {', '.join(unknown)}.")
    parts = _parts(job)
    extracts = [known.of_table(table).name for table in tables]
    chained = {later for part in parts for later in undoing.chain(connection, part, extracts)}
    later = tuple(undoing.in_order(connection, chained - set(parts)))
    if later and not with_later:
        raise CannotPlanError(
            f"Job {later[0]} has replaced what this job made. Roll that one back first, or take"
            f" {'both' if len(later) == 1 else f'all {len(later) + len(parts)}'} back together, newest first."
        )
    undo = Undo(tuple(undoing.in_order(connection, {*parts, *later})), tuple(tables))
    return Way(undo, later, undoing.resolve(connection, known, undo))


def submit(
    job: Job, way: Way, *, reason: str, actor: User, follows: Job | None = None, origin: Origin | None = None
) -> Job:
    """Have the preview of a resolved rollback made, and write it in the trail of every job that it takes back."""
    plan = Plan(
        kind=rolling_back.NAME,
        reason=reason,
        options={
            "job": str(job.pk),
            "jobs": [str(found) for found in way.undo.jobs],
            "tables": list(way.undo.tables),
            "source": "before-image",
            **(submission.in_place_of(follows) if follows else {}),
        },
        included=[
            {
                "file": new.load_run_file_id,
                "run": str(old.load_run_id),
                "key": new.s3_key,
                "extract": new.extract_type,
                "records": None,
                "back_to": old.load_run_file_id,
                "from_run": str(new.load_run_id),
            }
            for new, old in way.resolved.withdrawals
        ],
    )
    with transaction.atomic():
        also = {new.load_run_id for new, _ in way.resolved.withdrawals}
        made = submission.submit(plan, actor, undoes=job, also=also, origin=origin)
        for undone in Job.objects.filter(pk__in={*way.undo.jobs, job.pk}):
            record(actor, "rollback requested", undone, {"rollback": str(made.pk), "reason": reason})
    return made
