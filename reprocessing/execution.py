"""The job kinds of this room, and how a reprocessing is previewed and carried out."""

from collections.abc import Mapping
from itertools import groupby
from time import monotonic
from typing import Any
from uuid import UUID

import psycopg

from jobs.kinds import Kind, Preview, Run, Steps
from jobs.models import Job, Plan
from reprocessing import breaker, rolling_back, rollout, rollout_acts
from reprocessing.breaker import Evidence
from reprocessing.planning import KIND as REPROCESS
from reprocessing.planning import ROLLOUT, CannotPlanError
from warehouse import build, diff, discovery, history, journal, registry, reprocess
from warehouse.build import Workspace
from warehouse.diff import Counts, Diff
from warehouse.journal import Writer
from warehouse.reprocess import PUBLISH, Prepared, Work
from warehouse.sources import Content


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
    _refuse_other_making(run.job)
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
        staged = [file for files in made.staged.values() for file in files]
        malformed = sum(file.intake.rejected for file in staged)
        objections = _objections(run, made)
    finally:
        reprocess.clear(run.connection, known, space)
    seconds = monotonic() - began
    for file, reason in made.failed.items():
        discovery.note_failed_try(run.connection, run.job.pk, file, reason)
    read = {file.old: file.intake.read for file in staged}
    included = [
        {**item, "records": read.get(item["file"], item["records"])}
        for item in plan.included
        if item["file"] not in made.failed
    ]
    excluded = plan.excluded + [
        {**item, "code": "unreadable", "reason": made.failed[item["file"]]}
        for item in plan.included
        if item["file"] in made.failed
    ]
    if not included:
        _refused(run, objections)
        told = " ".join(item["reason"] for item in excluded if item["code"] == "unreadable")
        raise CannotPlanError(f"No file can be read again. {told} Staging is unchanged.")
    records = sum(found.counts.records for found in made.diffs.values()) + malformed
    malformed_by = {
        extract.name: sum(file.intake.rejected for file in made.staged.get(extract.table, ()))
        for extract in known.extracts
        if made.staged.get(extract.table)
    }
    preview |= {"malformed": malformed, "malformed_by": malformed_by, "objections": objections}
    return Preview(included, excluded, _with_estimate(preview, records, seconds), _refused(run, objections))


def _preview_rollout(run: Run) -> Preview:
    """The dry run of the whole selection, split into waves."""
    return rollout.with_waves(run.job.plan, _preview_reprocess(run))


def _refuse_other_making(job: Job) -> None:
    """Of a part of a job: raises WaveError where rows are made otherwise than when the whole was approved."""
    if job.parent is not None:
        rollout.refuse_other_making(job.parent)


def _objections(run: Run, made: Prepared) -> dict[str, list[str]]:
    """Extract → what the circuit breaker says against the preview; only extracts against which something is said."""
    said = {}
    for name in sorted({item["extract"] for item in run.job.plan.included}):
        table = registry.current()[name].table
        staged = made.staged.get(table, [])
        before_read, before_rejected = history.judged_before(run.connection, [file.old for file in staged])
        evidence = Evidence(
            counts=made.diffs[table].counts if table in made.diffs else Counts(),
            malformed=sum(file.intake.rejected for file in staged),
            before_read=before_read,
            before_rejected=before_rejected,
            failures_in_a_row=_failures_in_a_row(run.job.plan, name, made.failed),
        )
        if found := breaker.judge(evidence):
            said[name] = found
    return said


def _failures_in_a_row(plan: Plan, extract: str, failed: Mapping[int, str]) -> int:
    of_extract = [item["file"] in failed for item in plan.included if item["extract"] == extract]
    return max((len(list(row)) for bad, row in groupby(of_extract) if bad), default=0)


def _refused(run: Run, objections: Mapping[str, list[str]]) -> str:
    """Trip or ask the breakers of the job's extracts; why it must stop ("": it need not)."""
    job = run.job
    if job.dry_run or job.plan.options.get("past_breaker"):
        return ""
    if objections:
        breaker.trip(job, objections)
        told = " ".join(f"{extract}: {' '.join(found)}" for extract, found in objections.items())
        return f"Stopped before publishing. Staging is unchanged. {told} Its circuit breaker is open now."
    told = " ".join(breaker.admit(job, sorted({item["extract"] for item in job.plan.included})))
    return f"Stopped before publishing. Staging is unchanged. {told}" if told else ""


def _with_estimate(preview: dict[str, Any], records: int, seconds: float) -> dict[str, Any]:
    """The run does what the preview did, and writes: half as long again is allowed for that."""
    return {**preview, "records": records, "preview_seconds": seconds, "estimate_seconds": seconds * 1.5}


def _execute_reprocess(run: Run) -> dict[str, Any]:
    outcome = reprocess.execute(
        run.connection,
        registry.current(),
        _work(run),
        _writer(run),
        reason=run.job.plan.reason,
        expected=_expected(run),
        progress=run.progress,
    )
    breaker.passed(run.job)
    return outcome


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
    rolling_back.KIND,
    Kind(
        ROLLOUT,
        "Rollout",
        False,
        _preview_rollout,
        rollout.step,
        lambda connection, job_id: None,
        steps=Steps(pause=rollout.pause, cancel=rollout_acts.cancel),
    ),
)
