"""The job kinds of this room: how a reprocessing and a rollback are previewed and carried out."""

from time import monotonic
from typing import Any
from uuid import UUID

import psycopg

from jobs.kinds import Kind, Preview, Run
from reprocessing.planning import KIND as REPROCESS
from reprocessing.planning import CannotPlanError
from warehouse import build, diff, discovery, journal, registry, reprocess, rollback
from warehouse.build import Workspace
from warehouse.diff import Diff
from warehouse.journal import Writer
from warehouse.reprocess import PUBLISH, Work
from warehouse.rollback import ROLLBACK as ROLLED_BACK
from warehouse.sources import Content

ROLLBACK = "rollback"


def _writer(run: Run) -> Writer:
    return Writer(run.job.pk, run.epoch, run.job.requested_by.get_username())


def _work(run: Run) -> Work:
    """The plan's included files, each bound to the content that was planned."""
    plan = run.job.plan
    if plan.options["source"] == "raw":
        return Work(refold=tuple(item["file"] for item in plan.included))
    files = {item["file"]: Content(item["sha256"], item["bytes"]) for item in plan.included}
    return Work(files=files)


def _expected(run: Run) -> dict[str, Diff]:
    return {table: Diff.from_json(counts) for table, counts in run.job.plan.tables.items()}


def _preview_reprocess(run: Run) -> Preview:
    """The dry run: everything but the publish. Files that turn out unreadable move to the excluded ones."""
    writer, plan, known = _writer(run), run.job.plan, registry.current()
    journal.raise_fence(run.connection, writer)
    build.sweep(run.connection, writer)
    space, began = Workspace(writer.tag), monotonic()
    try:
        made = reprocess.prepare(run.connection, known, _work(run), space, run.progress)
        preview = {
            "tables": {table: found.as_json() for table, found in made.diffs.items()},
            "samples": {c.extract.table: diff.sample(run.connection, c, space) for c in made.changes},
            "causes": {c.extract.table: diff.causes(run.connection, c, space) for c in made.changes},
        }
        malformed = sum(file.intake.rejected for files in made.staged.values() for file in files)
    finally:
        reprocess.clear(run.connection, known, space)
    seconds = monotonic() - began
    for file, reason in made.failed.items():
        discovery.note_failed_try(run.connection, run.job.pk, file, reason)
    included = [item for item in plan.included if item["file"] not in made.failed]
    excluded = plan.excluded + [
        {**item, "code": "unreadable", "reason": made.failed[item["file"]]}
        for item in plan.included
        if item["file"] in made.failed
    ]
    if not included:
        told = " ".join(item["reason"] for item in excluded if item["code"] == "unreadable")
        raise CannotPlanError(f"No file can be read again. {told} Staging is unchanged.")
    records = sum(found.counts.records for found in made.diffs.values()) + malformed
    return Preview(included, excluded, _with_estimate({**preview, "malformed": malformed}, records, seconds))


def _with_estimate(preview: dict[str, Any], records: int, seconds: float) -> dict[str, Any]:
    """The run does what the preview did, and writes: half as long again is allowed for that."""
    return {**preview, "records": records, "preview_seconds": seconds, "estimate_seconds": seconds * 1.5}


def _execute_reprocess(run: Run) -> dict[str, Any]:
    return reprocess.execute(
        run.connection,
        registry.current(),
        _work(run),
        _writer(run),
        reason=run.job.plan.reason,
        expected=_expected(run),
        progress=run.progress,
    )


def _preview_rollback(run: Run) -> Preview:
    writer, plan, began = _writer(run), run.job.plan, monotonic()
    journal.raise_fence(run.connection, writer)
    build.sweep(run.connection, writer)
    diffs, samples = rollback.preview(
        run.connection, registry.current(), UUID(plan.options["job"]), Workspace(writer.tag)
    )
    preview = {
        "tables": {table: found.as_json() for table, found in diffs.items()},
        "samples": samples,
        "causes": {},
    }
    records = sum(found.counts.records for found in diffs.values())
    return Preview(plan.included, plan.excluded, _with_estimate(preview, records, monotonic() - began))


def _execute_rollback(run: Run) -> dict[str, Any]:
    return rollback.execute(
        run.connection,
        registry.current(),
        UUID(run.job.plan.options["job"]),
        _writer(run),
        expected=_expected(run),
    )


def _published(step: str, connection: psycopg.Connection, job_id: UUID) -> dict[str, Any] | None:
    return journal.done(connection, job_id, step)


KINDS = (
    Kind(
        REPROCESS,
        "Reprocessing",
        False,
        _preview_reprocess,
        _execute_reprocess,
        lambda connection, job_id: _published(PUBLISH, connection, job_id),
    ),
    Kind(
        ROLLBACK,
        "Rollback",
        True,
        _preview_rollback,
        _execute_rollback,
        lambda connection, job_id: _published(ROLLED_BACK, connection, job_id),
    ),
)
