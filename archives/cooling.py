"""Asking for archives to be moved to the cold tier or verified there, and the kinds of job that do it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.urls import reverse

from access import rights
from archives import cold_tier
from audit.transitions import record
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from warehouse import archive_holds, archive_sets, cold_verification, journal, registry
from warehouse import cooling as moving
from warehouse.amounts import megabytes, word
from warehouse.archive_sets import Part
from warehouse.cold_sealing import CannotCoolError
from warehouse.connections import connect
from warehouse.models import ArchiveSet

COOL, VERIFY = "cool", "verify archive"
BYTES_A_SECOND = 20e6  # of hot rows; a first guess for the estimate


def ask_cool(url: str, set_id: UUID, *, reason: str, actor: User, drop_hot: bool = False, dry_run: bool = False) -> Job:
    """Plan the move of a set. Raises PermissionDenied, NoSuchSetError, CannotCoolError, UnreachableWarehouseError."""
    rights.demand(actor, rights.ARCHIVE)
    with connect(url, purpose="plan") as connection:
        found = archive_sets.of_id(connection, set_id)
        parts = archive_sets.parts(connection, [set_id])
    if found.removed_at is not None:
        raise CannotCoolError("The set was removed: there are no rows to move.")
    if all(part.cold and not (drop_hot and part.hot) for part in parts):
        raise CannotCoolError("The set is in the cold tier already. Nothing is to be moved.")
    plan = Plan(
        kind=COOL,
        reason=reason,
        options={"set": str(set_id), "load_run": str(found.load_run_id), "drop_hot": drop_hot},
    )
    return submission.submit(plan, actor, dry_run=dry_run, about=[found.load_run_id])


def ask_verify(url: str, set_id: UUID, *, actor: User, deep: bool) -> Job:
    """Plan the verification of a set's files.

    Raises PermissionDenied, NoSuchSetError, CannotCoolError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.ARCHIVE)
    with connect(url, purpose="plan") as connection:
        found = archive_sets.of_id(connection, set_id)
        if not cold_verification.cold_parts(connection, [set_id]):
            raise CannotCoolError("The set has no files in the cold tier: there is nothing to verify.")
    return submit_verify(set_id, found.load_run_id, actor, deep=deep)


def submit_verify(set_id: UUID, load_run_id: UUID, actor: User, *, deep: bool) -> Job:
    """The same without the right: for what Restage asks for itself."""
    plan = Plan(
        kind=VERIFY,
        reason="Whether the files are what was written",
        options={"set": str(set_id), "load_run": str(load_run_id), "deep": deep},
    )
    return submission.submit(plan, actor, about=[load_run_id])


def set_of(job: Job) -> UUID:
    return UUID(job.plan.options["set"])


def _preview_cool(run: Run) -> Preview:
    drop = run.job.plan.options["drop_hot"]
    parts = archive_sets.parts(run.connection, [set_of(run.job)])
    held = archive_holds.HOLDS.stand(run.connection, set_of(run.job))
    asks = ["The set is on hold: its hot rows would go, its sealed files stay."] if drop and held else []
    tables = {part.table_name: {**_counts(part), "hot": part.hot and not drop} for part in parts}
    return Preview([], [], {**_estimate(parts, tables), "asks": asks})


def _preview_verify(run: Run) -> Preview:
    parts = cold_verification.cold_parts(run.connection, [set_of(run.job)])
    return Preview([], [], _estimate(parts, {part.table_name: _counts(part) for part in parts}))


def _counts(part: Part) -> dict[str, Any]:
    cold = part.cold or {}
    return {"rows": part.rows, "hot_bytes": part.bytes, "bytes": cold.get("bytes", 0), "files": cold.get("files", 0)}


def _estimate(parts: list[Part], tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    seconds = sum(part.bytes for part in parts) / BYTES_A_SECOND
    return {"tables": tables, "records": sum(part.rows for part in parts), "estimate_seconds": seconds}


def _execute_cool(run: Run) -> dict[str, Any]:
    return moving.cool(
        run.connection,
        registry.current(),
        cold_tier.tier(),
        set_of(run.job),
        writer_of(run),
        drop_hot=run.job.plan.options["drop_hot"],
        told=run.progress,
    )


def _execute_verify(run: Run) -> dict[str, Any]:
    deep = run.job.plan.options["deep"]
    return cold_verification.carry_out(
        run.connection, cold_tier.tier(), set_of(run.job), writer_of(run), deep=deep, told=run.progress
    )


def _ended_cool(job: Job) -> None:
    if job.state == Job.State.SUCCEEDED:
        detail = {"job": str(job.pk), "hot_rows_dropped": job.plan.options["drop_hot"]}
        record(job.requested_by, "archive moved to the cold tier", ArchiveSet(set_id=set_of(job)), detail)


def _ended_verify(job: Job) -> None:
    """A damaged archive fails the job: nobody must take its end for good news."""
    deep = job.plan.options["deep"]
    if job.state == Job.State.SUCCEEDED and job.outcome:
        told(job.requested_by, set_of(job), job.outcome["tables"], deep=deep)
    elif job.state == Job.State.FAILED:
        detail = {"job": str(job.pk), "deep": deep, "why": job.error}
        record(job.requested_by, "cold archive is not verified", ArchiveSet(set_id=set_of(job)), detail)


def told(actor: User | None, set_id: UUID, tables: Mapping[str, Mapping[str, Any]], *, deep: bool) -> None:
    """Write in the trail what a verification of cold files has found."""
    broken = sorted(table for table, found in tables.items() if not found["holds"])
    detail = {"tables": sorted(tables), "deep": deep, "sound": not broken, "broken": broken}
    action = "cold archive is damaged" if broken else "cold archive verified"
    record(actor, action, ArchiveSet(set_id=set_id), detail)


def _describe_cool(job: Job) -> Described:
    drop = job.plan.options["drop_hot"]
    rows = sum(counts["rows"] for counts in job.tables.values())
    after = "and then removed from the archive tables" if drop else "and stay in the archive tables as well"
    return Described(
        what=f"Write the rows of an archive set to sealed files of the cold tier; they are read again {after}.",
        number=rows,
        counted=word(rows, "row is moved", "rows are moved"),
        columns=("Rows", "Size in the table", "Size in files", "Files", "Hot"),
        rows=[(f"stg.{table}", _cells(counts)) for table, counts in sorted(job.tables.items())],
        way_back="The rows stay archived: a restore reads them from the files. Staging is not touched.",
        ended="Every row was read back from the files, and its hash made anew, before the hot rows went."
        if drop
        else "The files were read again and sealed.",
        verb="Move",
        links=(("See the archive set", reverse("archive_set", args=[set_of(job)])),),
    )


def _cells(counts: Mapping[str, Any]) -> tuple[str, ...]:
    written = counts["bytes"]
    size, hot = megabytes(written) if written else "—", megabytes(counts["hot_bytes"])
    return (
        f"{counts['rows']:,}",
        hot,
        size,
        f"{counts['files']:,}" if written else "—",
        "yes" if counts["hot"] else "no",
    )


def _describe_verify(job: Job) -> Described:
    deep = job.plan.options["deep"]
    rows = sum(counts["rows"] for counts in job.tables.values())
    return Described(
        what="Read every file of the set's cold tier and compare it with its sealed manifest"
        + ("; then read every row into a table aside and make its hash anew." if deep else "."),
        number=rows,
        counted=word(rows, "row is looked at", "rows are looked at"),
        columns=("Rows", "Files", "Size"),
        rows=[(f"stg.{table}", _files(counts)) for table, counts in sorted(job.tables.items())],
        way_back="Nothing is changed by looking.",
        ended="The files are what was written.",
        verb="Verify",
        links=(("See the archive set", reverse("archive_set", args=[set_of(job)])),),
    )


def _files(counts: Mapping[str, Any]) -> tuple[str, ...]:
    return f"{counts['rows']:,}", f"{counts['files']:,}", megabytes(counts["bytes"])


KINDS = (
    Kind(
        COOL,
        "Move to the cold tier",
        False,
        _preview_cool,
        _execute_cool,
        lambda connection, job_id: journal.done(connection, job_id, moving.COOL),
        ended=_ended_cool,
        asks_by_size=False,
        describe=_describe_cool,
    ),
    Kind(
        VERIFY,
        "Verify an archive",
        False,
        _preview_verify,
        _execute_verify,
        lambda connection, job_id: journal.done(connection, job_id, cold_verification.VERIFIED),
        ended=_ended_verify,
        asks_by_size=False,
        describe=_describe_verify,
    ),
)
