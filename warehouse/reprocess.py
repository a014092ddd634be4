"""Reprocessing on the warehouse: read files again aside, show what would change, publish it in one transaction.

A Work says which attempts are read again. prepare() is the dry run: it writes restage_build and notes of how far that
is, nothing else. execute() prepares and publishes; the rows are built the same way, so the numbers of the one are the
numbers of the other.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import (
    archive_job,
    aside,
    attempts,
    before_images,
    build,
    builds,
    code,
    diff,
    downstream,
    ingest,
    journal,
    locks,
    names,
    publish,
    quarantine,
    raw_removal,
    runs,
)
from warehouse.aside import FileUnreadableError, Reading
from warehouse.attempts import Attempt, Staged
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.diff import Counts, Diff
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.progress import Progress, Told, nobody
from warehouse.registry import Extract, Registry
from warehouse.sources import Content

LOCK_WAIT_MS = 30_000
PUBLISH = "publish"
WITHOUT_RAW, QUARANTINE = "reprocess and delete raw", "quarantine"


class ChangedSincePreviewError(TellableError):
    """What would be published is not what was shown; the message says where. Nothing was changed."""


class FileFailedError(TellableError):
    """A file of the work cannot be read again as planned; the message says which and why. Nothing was changed."""


@dataclass(frozen=True)
class Work:
    """`files`: attempt → the content that its file must have ("source files": a new attempt is made of it).
    `refold`: attempts whose raw records are only transformed again ("existing raw").
    `rewrite`: rows that these attempts own are written anew also where their values stay (mode replace).
    `delete_raw`: the raw records of the replaced attempts are deleted once their rows of staging are archived.
    `quarantine`: attempts of which nothing counts any more; none is read, and each gets an attempt without records.
    The files may belong to several load runs; each of these gets a new load run of its own."""

    files: Mapping[int, Content] = field(default_factory=dict)
    refold: tuple[int, ...] = ()
    rewrite: bool = False
    delete_raw: bool = False
    quarantine: tuple[int, ...] = ()


@dataclass
class Prepared:
    """A work built aside: one Change a touched extract, its Diff, and the files that could not be read (id → why)."""

    changes: list[Change] = field(default_factory=list)
    diffs: dict[str, Diff] = field(default_factory=dict)
    staged: dict[str, list[Staged]] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)


def prepare(
    connection: psycopg.Connection,
    registry: Registry,
    work: Work,
    writer: Writer,
    told: Told = nobody,
) -> Prepared:
    """Read, build and compare; needs an autocommit connection on which the writer's fence is raised.

    What an earlier claim of the job has read or built aside is taken as it is, if nothing has changed that it depends
    on. A file that cannot be read is named in `failed` and takes no part; the rest is built without it.
    """
    prepared, space = Prepared(), Workspace(writer.tag)
    found = attempts.of_ids(connection, [*work.files, *work.refold, *work.quarantine])
    so_far = Reading(files_all=len(work.files), bytes_all=sum(content.size for content in work.files.values()))
    for extract in registry.extracts:
        of_extract = [attempt for attempt in found if attempt.extract_type == extract.name]
        if not of_extract:
            continue
        if work.refold:
            change = Change(extract, refold=tuple(a.load_run_file_id for a in of_extract), rewrite=work.rewrite)
        elif work.quarantine:
            prepared.staged[extract.table] = without = [quarantine.staged(attempt) for attempt in of_extract]
            change = Change(extract, retire=tuple(file.old for file in without))
        else:
            change, so_far = _stage(connection, of_extract, extract, work, writer, prepared, so_far, told)
        if not (change.new or change.retire):
            continue
        told(Progress(f"build stg.{extract.table}", *astuple(so_far)))
        prepared.changes.append(change)
        prepared.diffs[extract.table] = _built(connection, change, space, writer)
        failpoint("built")
    return prepared


def _built(connection: psycopg.Connection, change: Change, space: Workspace, writer: Writer) -> Diff:
    """Build the change and compare it with staging, or take what this job has built of the same already."""
    step, of = f"build {change.extract.table}", _signature(change)
    if (aside.noted(connection, writer.job_id, step) or {}).get("of") == of and not build.outdated(
        connection, change, space
    ):
        return diff.compute(connection, change, space)
    with connection.transaction():
        journal.hold_fence(connection, writer)
        aside.note(connection, writer, step, {})
    build.build(connection, change, space)
    found = diff.compute(connection, change, space)
    with connection.transaction():
        journal.hold_fence(connection, writer)
        aside.note(connection, writer, step, {"of": of})
    return found


def _signature(change: Change) -> str:
    """Equal for what is built the same of the same records; live attempts apart (build.outdated())."""
    said = [change.extract.digest, code.folding(), change.retire, change.revive, change.arrive, change.refold]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _stage(
    connection: psycopg.Connection,
    old: list[Attempt],
    extract: Extract,
    work: Work,
    writer: Writer,
    prepared: Prepared,
    so_far: Reading,
    told: Told,
) -> tuple[Change, Reading]:
    """Read the files of one extract aside; a file's records have its attempt's id below zero there."""
    table = aside.raw_table(connection, extract, Workspace(writer.tag))
    staged: list[Staged] = []
    for attempt in old:
        number, content = attempt.load_run_file_id, work.files[attempt.load_run_file_id]
        try:
            intake = aside.read(
                connection, extract, attempt, content, writer, into=table, stand_in=-number, so_far=so_far, told=told
            )
        except FileUnreadableError as error:
            prepared.failed[number] = str(error)
            continue
        so_far = so_far.past(intake, content)
        staged.append(Staged(number, attempt.load_run_id, -number, content, intake))
        failpoint("fetched")
    prepared.staged[extract.table] = staged
    change = Change(
        extract,
        retire=tuple(file.old for file in staged),
        arrive=tuple(file.stand_in for file in staged),
        arrived_in=table,
        stands_for={file.stand_in: file.old for file in staged},
        rewrite=work.rewrite,
    )
    return change, so_far


def execute(
    connection: psycopg.Connection,
    registry: Registry,
    work: Work,
    writer: Writer,
    *,
    reason: str,
    expected: Mapping[str, Diff] | None,
    expected_raw: Mapping[str, int] | None = None,
    told: Told = nobody,
) -> dict[str, Any]:
    """Prepare and publish; the outcome (also when it had been published before this call), as JSON.

    `expected`: what the approved preview said of each table, `expected_raw` of the raw records to be deleted. Can be
    called again after any death of the process or loss of the connection; who gives the job up calls aside.sweep().
    Raises FileFailedError, ChangedSincePreviewError, ReplacedMeanwhileError, BusyError, LostFenceError, and what
    raw_removal.keep() raises: nothing was changed.
    """
    journal.raise_fence(connection, writer)
    outcome = journal.done(connection, writer.job_id, PUBLISH)
    if outcome is None:
        prepared = prepare(connection, registry, work, writer, told)
        if prepared.failed:
            said = "; ".join(f"file {number}: {why}" for number, why in prepared.failed.items())
            raise FileFailedError(f"{said} Nothing was changed.")
        if work.delete_raw:
            archive_job.make_months(connection, registry, prepared.staged)
        told(Progress("publish"))
        with connection.transaction():
            outcome = _publish(
                connection,
                registry,
                work,
                writer,
                prepared,
                reason=reason,
                expected=expected,
                expected_raw=expected_raw,
            )
            failpoint("publishing")
        failpoint("published")
        downstream.settle(connection)
    aside.sweep(connection, writer.job_id)
    return outcome


def _publish(
    connection: psycopg.Connection,
    registry: Registry,
    work: Work,
    writer: Writer,
    prepared: Prepared,
    *,
    reason: str,
    expected: Mapping[str, Diff] | None,
    expected_raw: Mapping[str, int] | None,
) -> dict[str, Any]:
    """In this order, so that staging is locked for as short as can be: attempts and raw, locks, diff, staging."""
    journal.hold_fence(connection, writer)
    space = Workspace(writer.tag)
    parents = _parents(prepared)
    new_runs = {parent: _new_run(connection, parent, writer, reason) for parent in dict.fromkeys(parents.values())}
    files: dict[int, int] = {}
    for extract in registry.extracts:
        for staged in prepared.staged.get(extract.table, ()):
            attempts.supersede(connection, staged.old)
            files[staged.old] = attempts.succeed(connection, staged.old, new_runs[parents[staged.old]], staged.content)
        if not work.quarantine:
            _copy_raw(connection, extract, prepared, files, space)
    locks.tables(connection, [change.extract for change in prepared.changes], wait_ms=LOCK_WAIT_MS)
    kept = raw_removal.keep(connection, registry, prepared.staged, writer, reason=reason) if work.delete_raw else {}
    diffs = {}
    for change in prepared.changes:
        diffs[change.extract.table] = _carry(connection, change, files, writer, prepared, space)
        _note_staging(connection, change, diffs[change.extract.table], prepared, space, new_runs)
    _refuse_other_than(expected, diffs)
    if work.quarantine:
        quarantine.close(connection, files.values(), reason)
    for tables in prepared.staged.values() if not work.quarantine else ():
        for staged in tables:
            runs.complete_file(connection, files[staged.old], staged.intake)
    for new_run in new_runs.values():
        runs.finish(connection, new_run)
    outcome: dict[str, Any] = {
        "tables": {table: found.as_json() for table, found in diffs.items()},
        "load_runs": {str(parent): str(new_run) for parent, new_run in new_runs.items()},
        "files": {str(old): new for old, new in files.items()},
    }
    if work.delete_raw:
        outcome["raw_deleted"] = gone = raw_removal.delete(connection, registry, prepared.staged, kept, writer)
        _refuse_other_raw(expected_raw, gone["records"])
        outcome["raw records deleted"] = gone["total"]
        failpoint("raw deleted")
    journal.record(connection, writer, PUBLISH, outcome)
    journal.effect(
        connection,
        writer,
        QUARANTINE if work.quarantine else WITHOUT_RAW if work.delete_raw else "reprocess",
        outcome,
    )
    return outcome


def _parents(prepared: Prepared) -> dict[int, UUID]:
    """Each file that was read → the load run that it belongs to."""
    return {staged.old: staged.load_run_id for tables in prepared.staged.values() for staged in tables}


def _new_run(connection: psycopg.Connection, parent: UUID, writer: Writer, reason: str) -> UUID:
    new_run = runs.begin(connection, "reprocess", reason)
    connection.execute(
        "INSERT INTO restage.run_parents (load_run_id, parent_load_run_id, job_id, reason) VALUES (%s, %s, %s, %s)",
        [new_run, parent, writer.job_id, reason],
    )
    return new_run


def _ids(prepared: Prepared, change: Change, files: Mapping[int, int]) -> dict[int, int]:
    """The stand-in ids of what was read → the attempts that were made of it."""
    staged = prepared.staged.get(change.extract.table, ()) if change.arrive else ()
    return {file.stand_in: files[file.old] for file in staged}


def _copy_raw(
    connection: psycopg.Connection, extract: Extract, prepared: Prepared, files: Mapping[int, int], space: Workspace
) -> None:
    """In the order in which they were read, which is that of the file: sorting wide rows took as long as copying."""
    for staged in prepared.staged.get(extract.table, ()):
        new = files[staged.old]
        columns = names.columns([*(column.name for column in extract.columns), "record_no", "line_no"])
        copied = connection.execute(
            sql.SQL(
                "INSERT INTO {raw} ({columns}, load_run_file_id) SELECT {columns}, {new} FROM {aside}"
                " WHERE load_run_file_id = {stand_in}"
            ).format(
                raw=names.raw(extract),
                columns=columns,
                new=sql.Literal(new),
                aside=space.table(extract, "raw"),
                stand_in=sql.Literal(staged.stand_in),
            )
        ).rowcount
        if copied != staged.intake.ingested:
            raise publish.CountMismatchError(f"raw.{extract.table}: {copied} of {staged.intake.ingested} records.")
        ingest.note_malformed(connection, extract, new, staged.intake)


def _carry(
    connection: psycopg.Connection,
    change: Change,
    files: Mapping[int, int],
    writer: Writer,
    prepared: Prepared,
    space: Workspace,
) -> Diff:
    """Under the lock: compare again, keep the before-image, write the rows that change."""
    if build.outdated(connection, change, space):
        build.build(connection, change, space)
    found = diff.compute(connection, change, space)
    ids = _ids(prepared, change, files)
    passes_on = change.retire if not change.new else ()
    before_images.keep(connection, change, space, writer, passes_on)
    publish.apply(connection, change, space, found.counts, ids)
    if passes_on:
        publish.own_anew(connection, change, space, passes_on)
    if ids:  # a refold's records have been judged when they came
        publish.note_rejections(connection, change, space, ids)
    staged = prepared.staged.get(change.extract.table, ()) if change.arrive else ()
    builds.note_read(connection, change.extract, {files[s.old]: s.intake.canonical for s in staged})
    builds.note_folded(connection, change.extract, change.refold)
    downstream.note(connection, change, space, found.counts, writer.job_id, ids)
    return found


def _note_staging(
    connection: psycopg.Connection,
    change: Change,
    found: Diff,
    prepared: Prepared,
    space: Workspace,
    new_runs: Mapping[UUID, UUID],
) -> None:
    """Each new run has a row that tells what became of its records."""
    staged = prepared.staged.get(change.extract.table, [])
    if len(new_runs) == 1:
        counts = {next(iter(new_runs)): [found.counts]}
    else:
        by_attempt = diff.of_attempts(connection, change, space) if staged else {}
        counts = defaultdict(list)
        for file in staged:
            counts[file.load_run_id].append(by_attempt.get(file.stand_in, Counts()))
    for parent, of_run in counts.items():
        runs.note_staging(connection, new_runs[parent], change.extract.name, change.extract.table, of_run)


def _refuse_other_than(expected: Mapping[str, Diff] | None, found: Mapping[str, Diff]) -> None:
    if expected is None:
        return
    for table in sorted({*expected, *found}):
        if expected.get(table) != found.get(table):
            raise ChangedSincePreviewError(
                f"stg.{table} has changed since the preview: what would be written now is not what was approved."
                " Nothing was changed; make a new plan to see it."
            )


def _refuse_other_raw(expected: Mapping[str, int] | None, deleted: Mapping[str, int]) -> None:
    if expected is not None and expected != deleted:
        raise ChangedSincePreviewError(
            "The raw records of the files have changed since the preview: others would be deleted than were approved."
            " Nothing was changed; make a new plan to see it."
        )
