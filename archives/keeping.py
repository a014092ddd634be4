"""Asking for an archive of a load run, and the kind of job that makes it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.urls import reverse

from access import rights
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from jobs.origin import Origin
from jobs.submission import CannotAskError
from warehouse import archive_job, archive_retention, archiving, journal, registry
from warehouse.amounts import word
from warehouse.connections import connect

NAME = "archive"
NAME_COLD = "archive cold"


def ask(
    url: str,
    load_run: UUID,
    *,
    reason: str,
    actor: User,
    now: datetime,
    tables: Sequence[str] = (),
    retention_days: int | None = None,
    cold: bool = False,
    dry_run: bool = False,
    origin: Origin | None = None,
) -> Job:
    """Plan the archive of what a load run owns, of these tables only (none: all that its files feed).

    `cold`: write the rows to the cold tier as well. `retention_days`: None takes the rules'. `origin`: what asks, on
    whose behalf. Raises PermissionDenied, CannotAskError, TooShortError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.ARCHIVE)
    if retention_days is not None:
        archive_retention.demand(retention_days)
    with connect(url, purpose="plan") as connection:
        feeds = _tables(connection, load_run)
        if unknown := sorted(set(tables) - {table for table, _extract in feeds}):
            raise CannotAskError(f"Load run {load_run} feeds no table {', '.join(unknown)}. Nothing was archived.")
        chosen = [(table, extract) for table, extract in feeds if not tables or table in tables]
        days = retention_days or archive_retention.days(
            archive_retention.rules(connection), [table for table, _extract in chosen], reason
        )
    plan = Plan(
        kind=NAME_COLD if cold else NAME,
        reason=reason,
        options={
            "load_run": str(load_run),
            "tables": [table for table, _extract in chosen],
            "days": days,
            "expires_at": (now + timedelta(days=days)).isoformat(),
        },
        included=[{"key": f"stg.{table}", "extract": extract} for table, extract in chosen],
    )
    return submission.submit(plan, actor, dry_run=dry_run, about=[load_run], origin=origin)


def _tables(connection: Any, load_run: UUID) -> list[tuple[str, str]]:
    """(table, extract) of what the files of a run feed, in the registry's order. Raises CannotAskError."""
    known = registry.current()
    names = archiving.extracts_of(connection, load_run)
    if names is None:
        raise CannotAskError(f"There is no load run {load_run}.")
    feeds = [(extract.table, extract.name) for extract in known.extracts if extract.name in names]
    if not feeds:
        raise CannotAskError(f"Load run {load_run} has no file of a declared extract: there is nothing to archive.")
    return feeds


def _preview(run: Run) -> Preview:
    plan, began = run.job.plan, monotonic()
    found = archiving.owned(run.connection, registry.current(), UUID(plan.options["load_run"]))
    tables = {
        table: {"rows": rows, "loaded": loaded}
        for table, (rows, loaded) in found.items()
        if table in plan.options["tables"]
    }
    preview = {
        "tables": tables,
        "records": sum(counts["rows"] or 0 for counts in tables.values()),
        "estimate_seconds": (monotonic() - began) * 10,
    }
    return Preview(plan.included, plan.excluded, preview)


def execute(run: Run) -> dict[str, Any]:
    options = run.job.plan.options
    return archive_job.execute(
        run.connection,
        registry.current(),
        writer_of(run),
        load_run_id=UUID(options["load_run"]),
        tables=options["tables"],
        reason=run.job.plan.reason,
        expires_at=datetime.fromisoformat(options["expires_at"]),
    )


def describe(job: Job) -> Described:
    options, rows = job.plan.options, sum(counts["rows"] for counts in job.tables.values())
    until = options["expires_at"][:10]
    notes = () if rows else ("The run owns no row any more: the archive set is empty, and says so.",)
    return Described(
        what=f"Copy the rows that the run owns now in {_listed(options['tables'])} into the archive,"
        f" kept until {until}.",
        number=rows,
        counted=word(rows, "row is kept", "rows are kept"),
        columns=("Rows kept", "Of valid records loaded", "Replaced since by others"),
        rows=[(f"stg.{table}", _counts(counts)) for table, counts in sorted(job.tables.items())],
        notes=notes,
        way_back="Nothing is changed by an archive: staging stays as it is, and the copy goes when it expires.",
        ended=f"Archived until {until}. Every row was read again and its checksum noted.",
        verb="Approve",
        links=(("See the archive set", reverse("archive_set", args=[job.outcome["set"]])),) if job.outcome else (),
    )


def _counts(counts: dict[str, Any]) -> tuple[str, ...]:
    rows, loaded = counts["rows"], counts["loaded"]
    if loaded is None:
        return f"{rows:,}", "unknown", "unknown"
    return f"{rows:,}", f"{loaded:,}", f"{max(0, loaded - rows):,}"


def _listed(tables: Sequence[str]) -> str:
    named = [f"stg.{table}" for table in tables]
    return ", ".join(named) if len(named) < 5 else f"{len(named)} tables"


KIND = Kind(
    NAME,
    "Archive",
    False,
    _preview,
    execute,
    lambda connection, job_id: journal.done(connection, job_id, archive_job.ARCHIVED),
    asks_by_size=False,
    describe=describe,
)
