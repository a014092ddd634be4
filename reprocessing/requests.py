"""Asking for a job: the one way that page, command and API take."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from access import rights
from audit.transitions import record
from jobs import submission
from jobs.models import Job, JobRun, Plan
from reprocessing import blackouts, bookmarks, planning
from reprocessing.execution import ROLLBACK
from reprocessing.origin import Origin
from reprocessing.planning import CannotPlanError, Options
from warehouse import discovery, registry, rollback
from warehouse.connections import connect
from warehouse.discovery import Candidate, Filter
from warehouse.errors import TellableError


def ask_reprocess(
    url: str,
    load_runs: Sequence[UUID],
    options: Options,
    *,
    reason: str,
    actor: User,
    dry_run: bool = False,
    origin: Origin | None = None,
    past_blackout: str = "",
) -> Job:
    """Plan the reprocessing of one or more runs and have its preview made.

    `origin`: what asks on the actor's behalf. `past_blackout`: why it cannot wait until a blackout window is over.
    Of several runs those that another active job is about are left out, with that reason. Raises PermissionDenied,
    InBlackoutError, CannotPlanError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.REPROCESS)
    passed = blackouts.demand(past_blackout)
    held = submission.holders(load_runs)
    if held and len(held) == len(set(load_runs)):
        raise submission.AlreadyActiveError(*next(iter(held.items())))
    with connect(url, purpose="plan") as connection:
        selection = planning.select(connection, registry.current(), load_runs, options, held)
    plan = planning.plan(selection, options, reason)
    if origin:
        plan.options["origin"] = origin.as_json()
    if passed:
        plan.options["past_blackout"] = {"window": str(passed), "reason": past_blackout}

    def within(job: Job) -> None:
        if passed:
            record(actor, "blackout overridden", job, plan.options["past_blackout"])
        if origin:
            record(None, f"asked by {origin.told}"[:60], job, {"on behalf of": actor.get_username()})
            origin.within(job)

    return submission.submit(plan, actor, dry_run=dry_run, within=within)


class ChangedMeanwhileError(TellableError):
    """What was found is not what was shown any more. Nothing was asked for."""


def ask_found(
    url: str,
    wanted: Filter,
    *,
    expected: str | None,
    reason: str,
    actor: User,
    dry_run: bool = False,
    origin: Origin | None = None,
    past_blackout: str = "",
) -> Job:
    """Plan the reprocessing of exactly the files that discovery takes by this filter.

    `expected`: the mark() of the files that the person has seen; None where nothing was shown. Raises what
    ask_reprocess raises, CannotPlanError where nothing is found, and ChangedMeanwhileError.
    """
    rights.demand(actor, rights.REPROCESS)
    with connect(url, purpose="discovery") as connection:
        found = discovery.candidates(connection, registry.current(), wanted, held_runs(), only_taken=True)
    if not found:
        raise CannotPlanError("No file that is found would be taken. Nothing was asked for.")
    if expected is not None and mark(found) != expected:
        raise ChangedMeanwhileError(
            f"What needs reprocessing has changed since it was shown: it is {len(found):,} files now."
            " Nothing was asked for; look again."
        )
    files = frozenset(candidate.load_run_file_id for candidate in found)
    runs = list(dict.fromkeys(candidate.load_run_id for candidate in found))
    return ask_reprocess(
        url,
        runs,
        Options(files=files),
        reason=reason,
        actor=actor,
        dry_run=dry_run,
        origin=origin,
        past_blackout=past_blackout,
    )


def held_runs() -> list[UUID]:
    """The load runs that active jobs are about."""
    return list(JobRun.objects.filter(held=True).values_list("load_run_id", flat=True))


def mark(found: Sequence[Candidate]) -> str:
    """Equal for the same files in the same order."""
    ids = ",".join(str(candidate.load_run_file_id) for candidate in found)
    return hashlib.sha256(ids.encode()).hexdigest()[:16]


def release(url: str, files: Sequence[int], *, reason: str, actor: User) -> int:
    """Let discovery take these files again though they kept failing; how many were held back.

    Raises PermissionDenied.
    """
    rights.demand(actor, rights.RELEASE)
    with connect(url, purpose="release") as connection, transaction.atomic():
        record(actor, "files released", actor, {"files": list(files), "reason": reason})
        bookmarks.outdate_discovery(timezone.now())
        return discovery.release(connection, files)


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
