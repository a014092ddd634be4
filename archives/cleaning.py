"""Asking for a cleanup of archives, and the kind of job that carries it out."""

import os
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from access import rights
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from jobs.origin import Origin
from warehouse import archive_judging, archive_removal, journal, registry
from warehouse.amounts import megabytes, things, word
from warehouse.archive_judging import Verdict
from warehouse.connections import connect
from warehouse.errors import TellableError

NAME = "cleanup"
MOST_ROWS = int(os.environ.get("RESTAGE_CLEANUP_ROWS", "1000000"))
MOST_BYTES = round(float(os.environ.get("RESTAGE_CLEANUP_MB", "2000")) * 1e6)


class CleaningError(TellableError):
    """No cleanup can be asked for now; the message says why. Nothing was removed."""


def ask(
    url: str,
    *,
    reason: str,
    actor: User,
    now: datetime,
    older_than: int | None = None,
    dry_run: bool = False,
    origin: Origin | None = None,
) -> Job:
    """Plan a cleanup of what has expired at `now`; of what was archived more than `older_than` days before, if given.
    `origin`: what asks, on whose behalf.

    Raises PermissionDenied, CleaningError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.CLEAN_UP)
    active = Job.objects.filter(kind=NAME, state__in=Job.ACTIVE, dry_run=False).first()
    if active and not dry_run:
        raise CleaningError(f"Job {active.pk} cleans up already ({active.state}). Nothing was asked for.")
    return submit(actor, reason=reason, now=now, older_than=older_than, dry_run=dry_run, origin=origin)


def submit(
    actor: User,
    *,
    reason: str,
    now: datetime,
    older_than: int | None = None,
    dry_run: bool = False,
    origin: Origin | None = None,
) -> Job:
    """The same without the right: for what Restage asks for itself."""
    plan = Plan(kind=NAME, reason=reason, options={"now": now.isoformat(), "older_than": older_than})
    return submission.submit(plan, actor, dry_run=dry_run, origin=origin)


def judge(url: str, now: datetime, older_than: int | None = None) -> list[Verdict]:
    """What a cleanup would do with each set that is there."""
    with connect(url, purpose="plan") as connection:
        return archive_judging.judge(connection, registry.current(), now=now, older_than=older_than)


def asks(going: Iterable[Verdict]) -> list[str]:
    """Why a cleanup of these sets needs somebody else's decision; none where it does not."""
    found, told = [verdict.facts for verdict in going], []
    rows, size = sum(facts.rows for facts in found), sum(facts.bytes for facts in found)
    if rows > MOST_ROWS:
        told.append(f"It removes {rows:,} archived rows, more than {MOST_ROWS:,}.")
    if size > MOST_BYTES:
        told.append(f"It removes {megabytes(size)}, more than {megabytes(MOST_BYTES)}.")
    if held := sum(1 for facts in found if facts.ever_held):
        told.append(f"It removes {things(held, 'set that was', 'sets that were')} on hold once.")
    return told


def _preview(run: Run) -> Preview:
    options = run.job.plan.options
    verdicts = archive_judging.judge(
        run.connection,
        registry.current(),
        now=datetime.fromisoformat(options["now"]),
        older_than=options["older_than"],
    )
    going = [verdict for verdict in verdicts if verdict.goes]
    preview = {
        "tables": archive_removal.by_table(run.connection, [verdict.facts.set_id for verdict in going]),
        "records": sum(verdict.facts.rows for verdict in going),
        "estimate_seconds": 1.0,
        "bytes": sum(verdict.facts.bytes for verdict in going),
        "asks": asks(going),
    }
    return Preview([_going(v) for v in going], [_staying(v) for v in verdicts if not v.goes], preview)


def _going(verdict: Verdict) -> dict[str, Any]:
    facts = verdict.facts
    return {
        "set": str(facts.set_id),
        "key": f"archive set {facts.set_id}",
        "extract": ", ".join(facts.tables),
        "rows": facts.rows,
        "bytes": facts.bytes,
    }


def _staying(verdict: Verdict) -> dict[str, Any]:
    return {**_going(verdict), "code": verdict.code, "reason": verdict.why}


def _execute(run: Run) -> dict[str, Any]:
    plan = run.job.plan
    return archive_removal.execute(
        run.connection,
        registry.current(),
        writer_of(run),
        sets=[UUID(item["set"]) for item in plan.included],
        now=datetime.fromisoformat(plan.options["now"]),
        older_than=plan.options["older_than"],
        told=run.progress,
    )


def count(job: Job) -> int:
    """The archive sets that a cleanup has removed, or would."""
    return int(job.outcome["removed"]) if job.outcome else len(job.plan.included)


def _describe(job: Job) -> Described:
    plan, number = job.plan, count(job)
    older = plan.options["older_than"]
    stayed = (job.outcome or {}).get("stayed", [])
    notes = []
    if stayed:
        notes.append(f"{len(stayed):,} of the sets stay after all: {'; '.join(_reasons(stayed))}.")
    codes = Counter(item["code"] for item in plan.excluded)
    told = ", ".join(f"{sets:,} {code}" for code, sets in codes.most_common())
    return Described(
        what=f"Remove the archive sets that had expired on {plan.options['now'][:10]}"
        + (f" and were archived more than {older:,} days before" if older is not None else "")
        + f". Of {len(plan.included) + len(plan.excluded):,} sets that were there {len(plan.excluded):,} stay"
        + (f": {told}." if told else "."),
        number=number,
        counted=word(number, "archive set goes", "archive sets go"),
        columns=("Parts", "Rows", "MB"),
        rows=[
            (f"stg.{table}", (f"{c['sets']:,}", f"{c['rows']:,}", f"{c['bytes'] / 1e6:,.1f}"))
            for table, c in sorted(job.tables.items())
        ],
        notes=tuple(notes),
        kept=tuple((item["key"], item["reason"]) for item in plan.excluded),
        way_back="None: what a cleanup has removed is gone. The catalogue goes on to list what it was.",
        ended=_ended(job),
        verb="Remove",
        dangerous=True,
    )


def _reasons(stayed: list[dict[str, str]]) -> list[str]:
    return sorted({item["why"].rstrip(".") for item in stayed})


def _ended(job: Job) -> str:
    if not job.outcome:
        return ""
    removed = job.outcome["removed"]
    if not removed:
        return "Nothing was removed: no set could go."
    return (
        f"Removed {things(removed, 'archive set')} with {job.outcome['rows']:,} rows,"
        f" {megabytes(job.outcome['bytes'])}. Staging and raw are untouched."
    )


KIND = Kind(
    NAME,
    "Cleanup",
    False,
    _preview,
    _execute,
    lambda connection, job_id: journal.done(connection, job_id, archive_removal.CLEANED),
    asks_by_size=False,
    describe=_describe,
)
