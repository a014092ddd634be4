"""The kinds of job that put an archive set back, and that let raw decide again over what such a job keeps pinned."""

from time import monotonic
from typing import Any
from uuid import UUID

import psycopg

from archives import asking_again, cold_tier, proving
from archives.proving import Use
from jobs.kinds import Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from warehouse import archive_holds, archive_sets, downstream, journal, proofs, registry, restoring, unpinning
from warehouse.amounts import things
from warehouse.diff import Diff
from warehouse.restore_classes import OVERWRITE, Classes
from warehouse.restoring import RESTORE, STAGING, Previewed, Wish
from warehouse.unpinning import UNPIN

WRITES = 3  # times as long as its preview, which reads and compares only


def wish_of(plan: Plan) -> Wish:
    """What a plan of a restore asks for."""
    options = plan.options
    return Wish(
        UUID(options["set"]), tuple(options["tables"]), options["into"], options["on_newer"], dict(options["map"])
    )


def _preview_restore(run: Run) -> Preview:
    writer, plan, began = writer_of(run), run.job.plan, monotonic()
    journal.raise_fence(run.connection, writer)
    wish = wish_of(plan)
    found = restoring.preview(run.connection, registry.current(), wish, writer, run.progress, cold_tier.tier())
    refused = restoring.refused(wish, found.classes) or _other_than_shown(plan, found)
    if refused or run.job.dry_run:
        archive_holds.disuse(run.connection, run.job.pk)
    changed = [table for table, classes in found.classes.items() if classes.written]
    preview = {
        "tables": {table: classes.as_json() for table, classes in found.classes.items()},
        "samples": found.samples,
        "causes": {},
        "told": found.told,
        "asks": _asks(wish, found),
        "dependants": downstream.dependants(run.connection, registry.current(), changed),
        **_measured(sum(part.rows for part in found.parts), monotonic() - began),
    }
    return Preview(_items(found), plan.excluded, preview, refused)


def _items(found: Previewed) -> list[dict[str, Any]]:
    known = registry.current()
    return [
        {
            "run": str(part.load_run_id),
            "key": f"stg.{part.table_name}, version {part.archive_version}",
            "extract": known.of_table(part.table_name).name,
            "table": part.table_name,
            "records": part.rows,
        }
        for part in found.parts
    ]


def _asks(wish: Wish, found: Previewed) -> list[str]:
    """Why somebody else must approve it."""
    if wish.into != STAGING:
        return []
    newer = sum(classes.newer for classes in found.classes.values()) if wish.on_newer == OVERWRITE else 0
    quarantined = sum(classes.quarantined for classes in found.classes.values())
    overwrites = f"It overwrites {things(newer, 'row')} of newer owners."
    brings_back = f"It writes {things(quarantined, 'row')} of quarantined files, of which nothing is to count."
    return [told for number, told in ((newer, overwrites), (quarantined, brings_back)) if number]


def _other_than_shown(plan: Plan, found: Previewed) -> str:
    """Why what was confirmed may not go on ("": it is what was shown)."""
    shown = plan.options.get("confirmed")
    if shown is None or shown == {table: classes.checksum for table, classes in found.classes.items()}:
        return ""
    return (
        "Staging has changed since the dry run that was confirmed: the restore would do something else now. Staging is"
        " as it was; the effect below is what a restore would have now."
    )


def _measured(records: int, seconds: float) -> dict[str, Any]:
    return {
        "records": records,
        "preview_seconds": seconds,
        "estimate_low": seconds,
        "estimate_seconds": seconds * WRITES,
        "estimate_basis": "up to three times as long as its preview, which does not write",
    }


def _execute_restore(run: Run) -> dict[str, Any]:
    plan, wish = run.job.plan, wish_of(run.job.plan)
    parts = archive_sets.parts(run.connection, [wish.set_id])
    rung = proofs.ARCHIVE if all(part.hot for part in parts) else proofs.COLD

    def put_back() -> dict[str, Any]:
        return restoring.execute(
            run.connection,
            registry.current(),
            wish,
            writer_of(run),
            expected={table: Classes.from_json(counts) for table, counts in plan.tables.items()},
            told=run.progress,
            tier=cold_tier.tier(),
        )

    def use(outcome: dict[str, Any]) -> Use:
        beside = sum(side["rows"] for side in outcome.get("side", {}).values())
        return Use(rung, outcome["proven"] or beside, f"Set {wish.set_id} was restored.")

    return proving.timed(run, RESTORE, put_back, use)


def _preview_unpin(run: Run) -> Preview:
    writer, plan, began = writer_of(run), run.job.plan, monotonic()
    journal.raise_fence(run.connection, writer)
    found = unpinning.preview(run.connection, registry.current(), UUID(plan.options["restore"]), writer)
    changed = [table for table, diff in found.diffs.items() if diff.counts.written]
    preview = {
        "tables": {table: diff.as_json() for table, diff in found.diffs.items()},
        "samples": found.samples,
        "causes": {},
        "pins": found.pins,
        "dependants": downstream.dependants(run.connection, registry.current(), changed),
        **_measured(sum(found.pins.values()), monotonic() - began),
    }
    return Preview(plan.included, plan.excluded, preview)


def _execute_unpin(run: Run) -> dict[str, Any]:
    plan = run.job.plan
    expected = {table: Diff.from_json(counts) for table, counts in plan.tables.items()}
    return unpinning.execute(
        run.connection, registry.current(), UUID(plan.options["restore"]), writer_of(run), expected=expected
    )


def _done(step: str) -> Any:
    def published(connection: psycopg.Connection, job_id: UUID) -> dict[str, Any] | None:
        return journal.done(connection, job_id, step)

    return published


def _ended_restore(job: Job) -> None:
    asking_again.where_changed(job)


KINDS = (
    Kind(RESTORE, "Restore", False, _preview_restore, _execute_restore, _done(RESTORE), ended=_ended_restore),
    Kind(UNPIN, "Unpinning", True, _preview_unpin, _execute_unpin, _done(UNPIN)),
)
