"""The job kinds of this room, and how a reprocessing is previewed and carried out."""

from collections.abc import Mapping
from dataclasses import asdict
from itertools import groupby
from time import monotonic
from typing import Any

import psycopg

from jobs.kinds import Kind, Preview, Run, Steps, writer_of
from jobs.models import Job, Plan
from reprocessing import breaker, estimates, planning, rolling_back, rollout, rollout_acts, versions
from reprocessing.breaker import Evidence
from reprocessing.planning import KIND as REPROCESS
from reprocessing.planning import ROLLOUT, CannotPlanError
from warehouse import aside, diff, discovery, downstream, history, journal, registry, reprocess, room
from warehouse.build import Workspace
from warehouse.diff import Counts, Diff
from warehouse.reprocess import PUBLISH, Prepared, Work
from warehouse.room import Room
from warehouse.sources import Content


def _work(run: Run) -> Work:
    """The plan's included files, each bound to the content that was planned."""
    plan = run.job.plan
    rewrite = plan.options.get("mode") == "replace"
    if plan.options["source"] == "raw":
        return Work(refold=tuple(item["file"] for item in plan.included), rewrite=rewrite)
    files = {item["file"]: Content(item["sha256"], item["bytes"]) for item in plan.included}
    return Work(files=files, rewrite=rewrite)


def _preview_reprocess(run: Run) -> Preview:
    """The dry run: everything but the publish. Files that turn out unreadable move to the excluded ones."""
    writer, plan, known = writer_of(run), run.job.plan, versions.in_force(run.connection, run.job.plan)
    _refuse_other_making(run.job)
    journal.raise_fence(run.connection, writer)
    space, began = Workspace(writer.tag), monotonic()
    needed = _room(run)
    made = reprocess.prepare(run.connection, known, _work(run), writer, run.progress)
    preview = {
        "tables": {table: found.as_json() for table, found in made.diffs.items()},
        "samples": {c.extract.table: diff.sample(run.connection, c, space) for c in made.changes},
        "causes": {c.extract.table: diff.causes(run.connection, c, space) for c in made.changes},
        "declarations": versions.told(run.connection, registry.current(), plan.included),
        "dependants": _dependants(run, made.diffs),
    }
    staged = [file for files in made.staged.values() for file in files]
    malformed = sum(file.intake.rejected for file in staged)
    objections = _objections(run, made)
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
    preview |= {
        **{"malformed": malformed, "malformed_by": malformed_by},
        **{"objections": objections, "room": asdict(needed)},
    }
    return Preview(included, excluded, preview | estimates.measured(plan, records, seconds), _refused(run, objections))


def _room(run: Run) -> Room:
    """Raises NoRoomError."""
    return room.demand(run.connection, sum(item.get("bytes") or 0 for item in run.job.plan.included))


def _given_up(connection: psycopg.Connection, job: Job) -> None:
    """Count it as a failed try of the file at which the worker died: after some such jobs it is quarantined."""
    files = [item["file"] for item in job.plan.included]
    for file in aside.unfinished(connection, job.pk, files):
        discovery.note_failed_try(connection, job.pk, file, "The worker died while it read the file.")


def _dependants(run: Run, diffs: Mapping[str, Diff]) -> list[dict[str, Any]]:
    changed = [table for table, found in diffs.items() if found.counts.written]
    return downstream.dependants(run.connection, registry.current(), changed)


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


def _execute_reprocess(run: Run) -> dict[str, Any]:
    if journal.done(run.connection, run.job.pk, PUBLISH) is None:
        _room(run)
    outcome = reprocess.execute(
        run.connection,
        registry.current(),
        _work(run),
        writer_of(run),
        reason=run.job.plan.reason,
        expected=planning.expected(run.job.plan),
        told=run.progress,
    )
    breaker.passed(run.job)
    return outcome


KINDS = (
    Kind(
        REPROCESS,
        "Reprocessing",
        False,
        _preview_reprocess,
        _execute_reprocess,
        lambda connection, job_id: journal.done(connection, job_id, PUBLISH),
        _given_up,
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
