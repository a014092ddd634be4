"""Asking for a set to expire sooner than it does, and the kind of job that does it: somebody else must approve it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.urls import reverse

from access import rights
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from warehouse import archive_expiry, archive_holds, archive_sets, journal
from warehouse.amounts import word
from warehouse.connections import connect

NAME = "cut retention"


def ask(url: str, set_id: UUID, *, expires_at: datetime, reason: str, actor: User) -> Job:
    """Raises PermissionDenied, NoSuchSetError, RemovedError, CutError, UnreachableWarehouseError."""
    rights.demand(actor, rights.CLEAN_UP)
    with connect(url, purpose="plan") as connection:
        found = archive_sets.of_id(connection, set_id)
        archive_holds.demand_there(found)
        archive_expiry.demand_least(found, expires_at)
        parts = archive_sets.parts(connection, [set_id])
    plan = Plan(
        kind=NAME,
        reason=reason,
        options={
            "set": str(set_id),
            "load_run": str(found.load_run_id),
            "expires_at": expires_at.isoformat(),
            "former": found.expires_at.isoformat(),
            "asks": [f"It cuts the retention of an archive set from {_day(found.expires_at)} to {_day(expires_at)}."],
        },
        included=[{"key": f"stg.{part.table_name}", "extract": "", "rows": part.rows} for part in parts],
    )
    return submission.submit(plan, actor, about=[found.load_run_id])


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _preview(run: Run) -> Preview:
    plan = run.job.plan
    tables = {item["key"].removeprefix("stg."): {"rows": item["rows"]} for item in plan.included}
    return Preview(plan.included, [], {"tables": tables, "records": 0, "estimate_seconds": 1.0})


def _execute(run: Run) -> dict[str, Any]:
    plan = run.job.plan
    return archive_expiry.cut(
        run.connection,
        writer_of(run),
        UUID(plan.options["set"]),
        expires_at=datetime.fromisoformat(plan.options["expires_at"]),
        why=plan.reason,
    )


def _describe(job: Job) -> Described:
    options = job.plan.options
    rows = sum(item["rows"] for item in job.plan.included)
    return Described(
        what=f"Let archive set {options['set']} expire on {options['expires_at'][:10]}, not on"
        f" {options['former'][:10]}.",
        number=rows,
        counted=word(rows, "archived row expires sooner", "archived rows expire sooner"),
        columns=("Rows",),
        rows=[(item["key"], (f"{item['rows']:,}",)) for item in job.plan.included],
        way_back="Until the set expires its retention can be extended again; after the cleanup its rows are gone.",
        ended=f"The set expires on {options['expires_at'][:10]}.",
        verb="Approve that",
        dangerous=True,
        links=(("See the archive set", reverse("archive_set", args=[options["set"]])),),
    )


KIND = Kind(
    NAME,
    "Cut of retention",
    False,
    _preview,
    _execute,
    lambda connection, job_id: journal.done(connection, job_id, archive_expiry.CUT),
    asks_by_size=False,
    describe=_describe,
)
