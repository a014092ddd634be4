"""The job kinds of this room, and how a reprocessing is previewed and carried out."""

from dataclasses import asdict
from time import monotonic
from typing import Any

import psycopg

from jobs.kinds import Kind, Preview, Run, Steps, writer_of
from jobs.models import Job, Plan
from reprocessing import breaker, breaker_evidence, estimates, planning, rolling_back, rollout, rollout_acts, versions
from reprocessing.planning import NOTHING, QUARANTINE, REPROCESS, ROLLOUT, CannotPlanError
from warehouse import aside, diff, discovery, downstream, journal, pins, raw_removal, registry, reprocess, room
from warehouse.amounts import things
from warehouse.build import Workspace
from warehouse.registry import Registry
from warehouse.reprocess import PUBLISH, Prepared, Work
from warehouse.room import Room
from warehouse.sources import Content


def _work(run: Run) -> Work:
    """The plan's included files, each bound to the content that was planned."""
    plan = run.job.plan
    rewrite = plan.options.get("mode") == "replace"
    if plan.options["source"] == "raw":
        return Work(refold=tuple(item["file"] for item in plan.included), rewrite=rewrite)
    if plan.options["source"] == NOTHING:
        return Work(quarantine=tuple(item["file"] for item in plan.included))
    files = {item["file"]: Content(item["sha256"], item["bytes"]) for item in plan.included}
    return Work(files=files, rewrite=rewrite, delete_raw=planning.deletes_raw(plan))


def _preview_reprocess(run: Run) -> Preview:
    """The dry run: everything but the publish. Files that turn out unreadable move to the excluded ones."""
    versions.refuse_another(registry.current(), run.job.plan)
    writer, plan, known = writer_of(run), run.job.plan, versions.in_force(run.connection, run.job.plan)
    _refuse_other_making(run.job)
    journal.raise_fence(run.connection, writer)
    began, needed = monotonic(), _room(run)
    made = reprocess.prepare(run.connection, known, _work(run), writer, run.progress)
    effect = _effect(run, made)
    objections = breaker_evidence.objections(run, made)
    seconds = monotonic() - began
    for file, reason in made.failed.items():
        discovery.note_failed_try(run.connection, run.job.pk, file, reason)
    included, excluded = _told_apart(plan, made)
    refused = breaker_evidence.refused(run.job, objections)
    if not included:
        told = " ".join(item["reason"] for item in excluded if item["code"] == "unreadable")
        raise CannotPlanError(f"No file can be read again. {told} Staging is unchanged.")
    malformed = _malformed_by(known, made)
    records = sum(found.counts.records for found in made.diffs.values()) + sum(malformed.values())
    preview = {
        **effect,
        "malformed_by": malformed,
        "objections": objections,
        **_asked(run, made, included),
        "room": asdict(needed),
        **estimates.measured(plan, records, seconds),
    }
    return Preview(included, excluded, preview, refused)


def _effect(run: Run, made: Prepared) -> dict[str, Any]:
    """What a preview says of staging, and of what the files were built with and what depends on them."""
    space = Workspace(writer_of(run).tag)
    changed = [table for table, found in made.diffs.items() if found.counts.written]
    return {
        "tables": {table: found.as_json() for table, found in made.diffs.items()},
        "samples": {c.extract.table: diff.sample(run.connection, c, space) for c in made.changes},
        "causes": {c.extract.table: diff.causes(run.connection, c, space) for c in made.changes},
        "declarations": versions.told(run.connection, registry.current(), run.job.plan.included),
        "dependants": downstream.dependants(run.connection, registry.current(), changed),
    }


def _asked(run: Run, made: Prepared, included: list[dict[str, Any]]) -> dict[str, Any]:
    """What of the plan needs an approval, in words; and the records of replaced attempts that go with a publish, where
    it was asked to delete them."""
    released = planning.told_of_release(included)
    if not planning.deletes_raw(run.job.plan):
        return {"asks": released} if released else {}
    with run.connection.transaction():
        raw_removal.refuse_held(run.connection, run.job.plan.load_runs)
    due = {c.extract.table: raw_removal.due(run.connection, c.extract, c.retire) for c in made.changes}
    return {"raw_deleted": due, "asks": [planning.told_of_deletion(included, sum(due.values())), *released]}


def _told_apart(plan: Plan, made: Prepared) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The files that are included, with what was read of them, and the excluded ones."""
    read = {file.old: file.intake.read for files in made.staged.values() for file in files}
    included, excluded = [], list(plan.excluded)
    for item in plan.included:
        if item["file"] in made.failed:
            excluded.append({**item, "code": "unreadable", "reason": made.failed[item["file"]]})
        else:
            included.append({**item, "records": read.get(item["file"], item["records"])})
    return included, excluded


def _malformed_by(known: Registry, made: Prepared) -> dict[str, int]:
    """Extract → records of its files that could not be read."""
    return {
        known.of_table(table).name: sum(file.intake.rejected for file in files)
        for table, files in made.staged.items()
        if files
    }


def _room(run: Run) -> Room:
    """Raises NoRoomError."""
    return room.demand(run.connection, sum(item.get("bytes") or 0 for item in run.job.plan.included))


def _given_up(connection: psycopg.Connection, job: Job) -> None:
    """Count it as a failed try of the file at which the worker died: after some such jobs it is quarantined."""
    files = [item["file"] for item in job.plan.included]
    for file in aside.unfinished(connection, job.pk, files):
        discovery.note_failed_try(connection, job.pk, file, "The worker died while it read the file.")


def _preview_quarantine(run: Run) -> Preview:
    """What leaves staging and what comes back from files before. No circuit breaker has a say: nothing is read."""
    writer, plan, known = writer_of(run), run.job.plan, registry.current()
    versions.refuse_another(known, plan)
    journal.raise_fence(run.connection, writer)
    began, needed = monotonic(), _room(run)
    effect = _effect(run, reprocess.prepare(run.connection, known, _work(run), writer, run.progress))
    records = sum(item["records"] or 0 for item in plan.included)
    preview = {
        **effect,
        "asks": _told_of_pins(run),
        "room": asdict(needed),
        **estimates.measured(plan, records, monotonic() - began),
    }
    return Preview(plan.included, list(plan.excluded), preview)


def _told_of_pins(run: Run) -> list[str]:
    """What whoever approves a quarantine must know: of its files this will count all the same."""
    pinned = pins.of_files(run.connection, [item["file"] for item in run.job.plan.included])
    return [
        f"{things(rows, 'row')} of these files will stay in staging, because the restore {job} has pinned them: let raw"
        " decide again over that restore first."
        for job, rows in pinned.items()
    ]


def _preview_rollout(run: Run) -> Preview:
    """The dry run of the whole selection, split into waves."""
    return rollout.with_waves(run.job.plan, _preview_reprocess(run))


def _refuse_other_making(job: Job) -> None:
    """Of a part of a job: raises WaveError where rows are made otherwise than when the whole was approved."""
    if job.parent is not None:
        rollout.refuse_other_making(job.parent)


def _execute_reprocess(run: Run) -> dict[str, Any]:
    if journal.done(run.connection, run.job.pk, PUBLISH) is None:
        versions.refuse_another(registry.current(), run.job.plan)
        _room(run)
    outcome = reprocess.execute(
        run.connection,
        registry.current(),
        _work(run),
        writer_of(run),
        reason=run.job.plan.reason,
        expected=planning.expected(run.job.plan),
        expected_raw=planning.expected_raw(run.job.plan),
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
        QUARANTINE,
        "Quarantine",
        True,
        _preview_quarantine,
        _execute_reprocess,
        lambda connection, job_id: journal.done(connection, job_id, PUBLISH),
    ),
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
