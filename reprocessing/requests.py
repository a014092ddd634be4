"""Asking for a job: the one way that page, command and API take."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit.transitions import record
from jobs import submission
from jobs.models import Job, JobRun
from reprocessing import planning
from reprocessing.planning import CannotPlanError, Options
from reprocessing.waves import Rules
from warehouse import discovery, registry
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
    waves: Rules | None = None,
) -> Job:
    """Plan the reprocessing of one or more runs, in `waves` or at once, and have its preview made.

    Of several runs those that another active job is about are left out, with that reason. Raises PermissionDenied,
    CannotPlanError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.REPROCESS)
    held = submission.holders(load_runs)
    if held and len(held) == len(set(load_runs)):
        raise submission.AlreadyActiveError(*next(iter(held.items())))
    with connect(url, purpose="plan") as connection:
        selection = planning.select(connection, registry.current(), load_runs, options, held)
    return submission.submit(planning.plan(selection, options, reason, waves), actor, dry_run=dry_run)


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
    waves: Rules | None = None,
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
    return ask_reprocess(url, runs, Options(files=files), reason=reason, actor=actor, dry_run=dry_run, waves=waves)


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
        return discovery.release(connection, files)
