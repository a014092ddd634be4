"""What taking published jobs back means: which attempts leave, which count again, and what stands in the way.

A job can only be taken back from the head of its chain: original → r1 → r2 loses r2 first, or r2 and r1 in one act.
Every table is folded from the files of its own extract, so any choice of tables keeps staging a function of raw.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from warehouse import attempts, journal
from warehouse.attempts import Attempt
from warehouse.change import Change
from warehouse.errors import TellableError
from warehouse.registry import Registry
from warehouse.reprocess import PUBLISH


class CannotRollBackError(TellableError):
    """The job cannot be taken back; the message says why and what can be done. Nothing was changed."""


@dataclass(frozen=True)
class Undo:
    """The jobs to take back, newest first, and of which tables (none: all of them)."""

    jobs: tuple[UUID, ...]
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Undoing:
    """An Undo resolved against the warehouse as it is now. `withdrawals`: (new attempt, the one before), in order."""

    changes: list[Change]
    withdrawals: list[tuple[Attempt, Attempt]]

    @property
    def withdrawn(self) -> tuple[int, ...]:
        return tuple(new.load_run_file_id for new, _old in self.withdrawals)


def resolve(connection: psycopg.Connection, registry: Registry, undo: Undo) -> Undoing:
    """Follow the jobs back, newest first. Raises CannotRollBackError."""
    pairs = [pair for job_id in undo.jobs for pair in _pairs(connection, job_id)]
    known = {a.load_run_file_id: a for a in attempts.of_ids(connection, {file for pair in pairs for file in pair})}
    back: set[int] = set()
    withdrawals: list[tuple[Attempt, Attempt]] = []
    elsewhere = False
    for old, new in pairs:
        attempt = known[new]
        if attempt.extract_type not in registry:
            raise CannotRollBackError(f"Nothing declares extract {attempt.extract_type} any more. Declare it again.")
        if attempt.status == "rolled_back":
            continue
        if undo.tables and registry[attempt.extract_type].table not in undo.tables:
            elsewhere = True
            continue
        if attempt.superseded_in and new not in back:
            raise CannotRollBackError(
                f"File {new} of this job has since been replaced by load run {attempt.superseded_in}."
                " Roll that one back first, or both together."
            )
        withdrawals.append((attempt, known[old]))
        back.discard(new)
        back.add(old)
    if not withdrawals:
        raise CannotRollBackError(
            "Nothing of this job is in the chosen tables." if elsewhere else "This job has been rolled back already."
        )
    changes = _changes(registry, withdrawals, {file: known[file] for file in back})
    _demand_raw(connection, changes)
    return Undoing(changes, withdrawals)


def _pairs(connection: psycopg.Connection, job_id: UUID) -> list[tuple[int, int]]:
    """The attempts that a job replaced, each with the one that it made. Raises CannotRollBackError."""
    published = journal.done(connection, job_id, PUBLISH)
    if published is None:
        raise CannotRollBackError("This job has published nothing: there is nothing to take back.")
    pairs = [(int(old), int(new)) for old, new in published["files"].items()]
    if not pairs:
        raise CannotRollBackError(
            "This job only folded existing raw records again; their former result has no raw records of its own, so"
            " staging would not agree with raw any more. What it replaced can be read in its before-image. To have"
            " the former values back, put the former declaration of the extract back and reprocess the run."
        )
    return pairs


def _changes(
    registry: Registry, withdrawals: Iterable[tuple[Attempt, Attempt]], back: dict[int, Attempt]
) -> list[Change]:
    """The net effect: an attempt that is revived and withdrawn again on the way is in neither list."""
    gone = [new for new, _old in withdrawals if not new.superseded_in]
    found = []
    for extract in registry.extracts:
        retire = tuple(a.load_run_file_id for a in gone if a.extract_type == extract.name)
        revive = tuple(n for n, a in back.items() if a.extract_type == extract.name and a.status == "completed")
        if retire or revive:
            found.append(Change(extract, retire=retire, revive=revive))
    return found


def _demand_raw(connection: psycopg.Connection, changes: Iterable[Change]) -> None:
    """Raises CannotRollBackError where the raw records of an attempt that is to count again are gone."""
    for change in changes:
        for file in attempts.without_raw(connection, change.extract, change.revive):
            raise CannotRollBackError(
                f"The raw records of file {file}, which would count again, are gone: staging could not be made from"
                " them. Reprocess its load run from the delivered file instead."
            )


def chain(connection: psycopg.Connection, job_id: UUID, extracts: Iterable[str] = ()) -> list[UUID]:
    """The job and every later one that replaced its attempts (of these extracts; none: all), newest first."""
    return [
        job
        for (job,) in connection.execute(
            "WITH RECURSIVE later (job_id) AS (SELECT %(job)s::uuid UNION SELECT p.job_id FROM later"
            " JOIN restage.run_parents m USING (job_id) JOIN etl.load_run_files n ON n.load_run_id = m.load_run_id"
            " JOIN etl.load_run_files s ON s.load_run_file_id = n.superseded_by_load_run_file_id"
            " JOIN restage.run_parents p ON p.load_run_id = s.load_run_id"
            " WHERE n.status <> 'rolled_back' AND s.status <> 'rolled_back'"
            " AND (%(extracts)s::text[] = '{}' OR n.extract_type = ANY(%(extracts)s)))"
            " SELECT job_id FROM later JOIN restage.job_steps j USING (job_id) WHERE j.step = %(publish)s"
            " ORDER BY j.finished_at DESC, j.epoch DESC",
            {"job": job_id, "extracts": list(extracts), "publish": PUBLISH},
        ).fetchall()
    ]


def in_order(connection: psycopg.Connection, jobs: Iterable[UUID]) -> list[UUID]:
    """These jobs, as far as they have published, newest first."""
    return [
        job
        for (job,) in connection.execute(
            "SELECT job_id FROM restage.job_steps WHERE step = %s AND job_id = ANY(%s) ORDER BY finished_at DESC",
            [PUBLISH, list(jobs)],
        ).fetchall()
    ]


def published_at(connection: psycopg.Connection, jobs: Iterable[UUID]) -> datetime | None:
    """When the first of these jobs published."""
    found: tuple[datetime | None] | None = connection.execute(
        "SELECT min(finished_at) FROM restage.job_steps WHERE step = %s AND job_id = ANY(%s)", [PUBLISH, list(jobs)]
    ).fetchone()
    return found[0] if found else None


def left(connection: psycopg.Connection, jobs: Iterable[UUID]) -> dict[str, int]:
    """Job → how many of the attempts that it made are not rolled back; only jobs that have any."""
    found = connection.execute(
        "SELECT p.job_id, count(*) FROM restage.run_parents p JOIN etl.load_run_files f USING (load_run_id)"
        " WHERE p.job_id = ANY(%s) AND f.status <> 'rolled_back' GROUP BY 1",
        [list(jobs)],
    ).fetchall()
    return {str(job): files for job, files in found}
