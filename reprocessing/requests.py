"""Asking for a job: the one way that page, command and API take."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from access import rights
from audit.transitions import record
from jobs import submission
from jobs.models import Job, JobRun
from jobs.origin import Origin
from reprocessing import blackouts, planning, versions
from reprocessing.planning import CannotPlanError, Options
from reprocessing.waves import Rules
from warehouse import differences, discovery, freshness, registry
from warehouse.connections import connect
from warehouse.discovery import Candidate, Filter
from warehouse.errors import TellableError
from warehouse.freshness import Live

MOST_OUTDATED = 2_000  # files of one job
RETRIED = (planning.REPROCESS, planning.QUARANTINE)


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
    waves: Rules | None = None,
    follows: Job | None = None,
) -> Job:
    """Plan the reprocessing of one or more runs, in `waves` or at once, and have its preview made.

    `origin`: what asks, on whose behalf. `past_blackout`: why it cannot wait until a blackout window is over; a dry run
    need not, as it writes nothing. `follows`: the job in place of whose plan this one is made.
    Of several runs those that another active job is about are left out, with that reason. Raises PermissionDenied,
    InBlackoutError, CannotPlanError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(origin.owner if origin else actor, rights.REPROCESS)
    if options.declaration == "original" and not dry_run:
        raise CannotPlanError(
            "With the original declaration only a dry run is possible: staging is what the declaration in force makes"
            " of raw. To publish with a former declaration, put it into force again."
        )
    passed = None if dry_run else blackouts.demand(past_blackout)
    held = submission.holders(load_runs)
    if held and len(held) == len(set(load_runs)):
        raise submission.AlreadyActiveError(*next(iter(held.items())))
    with connect(url, purpose="plan") as connection:
        selection = planning.select(connection, registry.current(), load_runs, options, held)
        if options.declaration == "original":
            versions.original(connection, registry.current(), selection.included)
    plan = planning.plan(selection, options, reason, waves)
    plan.options["in_force"] = versions.digests(registry.current(), plan.included)
    if options.retry_of:
        retried = Job.objects.select_related("plan").get(pk=options.retry_of)
        plan.options["asked_before_by"] = sorted(retried.asked_by)
    if follows:
        plan.options |= submission.in_place_of(follows)
    if passed:
        plan.options["past_blackout"] = {"window": str(passed), "reason": past_blackout}

    def within(job: Job) -> None:
        if passed:
            record(actor, "blackout overridden", job, plan.options["past_blackout"])

    return submission.submit(plan, actor, dry_run=dry_run, origin=origin, within=within)


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
    waves: Rules | None = None,
) -> Job:
    """Plan the reprocessing of exactly the files that discovery takes by this filter.

    `expected`: the mark() of the files that the person has seen; None where nothing was shown. Raises what
    ask_reprocess raises, CannotPlanError where nothing is found, and ChangedMeanwhileError.
    """
    rights.demand(origin.owner if origin else actor, rights.REPROCESS)
    with connect(url, purpose="discovery") as connection:
        found = discovery.candidates(connection, registry.current(), wanted, held_runs(), only_taken=True)
    if not found:
        raise CannotPlanError("No file that is found would be taken. Nothing was asked for.")
    _demand_shown(found, expected, "What needs reprocessing", len(found))
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
        waves=waves,
    )


def ask_retry(url: str, job: Job, *, actor: User, past_blackout: str = "", origin: Origin | None = None) -> Job:
    """Ask anew for the files of a reprocessing that did not succeed, and for no others, with its reason and options.

    Who had a hand in asking for that job has one in this too: none of them decides on it.
    Raises what ask_reprocess raises, and CannotPlanError where nothing is left to retry.
    """
    files = left_to_retry(job)
    if not files:
        raise CannotPlanError(f"There is nothing to retry: this job is {job.get_state_display().lower()}.")
    options = replace(
        Options.from_json(job.plan.options), files=frozenset(item["file"] for item in files), retry_of=job.pk
    )
    runs = list(dict.fromkeys(UUID(item["run"]) for item in files))
    return ask_reprocess(
        url, runs, options, reason=job.plan.reason, actor=actor, past_blackout=past_blackout, origin=origin
    )


def left_to_retry(job: Job) -> list[dict[str, Any]]:
    """The files that ask_retry() takes."""
    return job.to_retry if job.kind in RETRIED and not job.dry_run else []


def ask_outdated(
    url: str, extract: str, group: str, *, expected: str | None, reason: str, actor: User, past_blackout: str = ""
) -> Job:
    """Plan one job about the files of a group that freshness finds: from raw, or from the files where it needs them.

    At most MOST_OUTDATED of them, in the order of the source. `expected` and what it raises: as ask_found.
    """
    rights.demand(actor, rights.REPROCESS)
    with connect(url, purpose="freshness") as connection:
        found, files = freshness.members(connection, registry.current(), extract, group, held_runs())
    if found is None or not files:
        raise CannotPlanError("No file is out of date in this way any more. Nothing was asked for.")
    if found.way == differences.HAND:
        raise CannotPlanError(
            f"The natural key of {extract} changed: drop the old unique index of its staging table and run"
            " `manage.py warehouse apply` first. Nothing was asked for."
        )
    taken = files[:MOST_OUTDATED]
    _demand_shown(taken, expected, "What is out of date in this way", len(files))
    options = Options(
        files=frozenset(file.load_run_file_id for file in taken),
        source="files" if found.way == differences.FILES else "raw",
    )
    runs = list(dict.fromkeys(file.load_run_id for file in taken))
    return ask_reprocess(url, runs, options, reason=reason, actor=actor, past_blackout=past_blackout)


def _demand_shown(found: Sequence[Candidate | Live], expected: str | None, what: str, files: int) -> None:
    """Raises ChangedMeanwhileError."""
    if expected is not None and mark(found) != expected:
        raise ChangedMeanwhileError(
            f"{what} has changed since it was shown: it is {files:,} files now. Nothing was asked for; look again."
        )


def held_runs() -> list[UUID]:
    """The load runs that active jobs are about."""
    return list(JobRun.objects.filter(held=True).values_list("load_run_id", flat=True))


def mark(found: Sequence[Candidate | Live]) -> str:
    """Equal for the same files in the same order."""
    ids = ",".join(str(candidate.load_run_file_id) for candidate in found)
    return hashlib.sha256(ids.encode()).hexdigest()[:16]
