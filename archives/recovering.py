"""The kind of job that recovers rows of one table as of a moment, from a throw-away server, into a side table.

Preview and execution do the same work: the rows are brought aside and compared with staging. What the preview has
brought is used again where it is still there; a worker that dies leaves nothing that counts, and the next begins anew.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

import psycopg
from django.contrib.auth.models import User
from psycopg import sql

from access import rights
from archives import copies
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from recovery.repositories import Target
from warehouse import aside, journal, marks, proofs, recovered, registry, side_tables
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.progress import Progress
from warehouse.recovered import Classes, Wanted

NAME, STEP = "recover", "recover"
SIDE = "side"


class CannotPlanRecoveryError(TellableError):
    """What was asked for cannot be recovered; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Asked:
    """Rows of `table` at a moment, or just before the job of that id; of one load run or all of them."""

    table: str
    when: datetime | UUID
    load_run: UUID | None = None


def ask(
    connection: psycopg.Connection, asked: Asked, *, reason: str, actor: User, now: datetime, dry_run: bool = False
) -> Job:
    """Plan a recovery. Raises PermissionDenied, CannotPlanRecoveryError, NotRecoverableError."""
    rights.demand(actor, rights.RESTORE)
    if asked.table not in {extract.table for extract in registry.current().extracts}:
        raise CannotPlanRecoveryError(f"There is no table stg.{asked.table}.")
    target = target_of(connection, asked, now)
    copies.check(target)
    options = {
        "source": "point in time",
        "into": SIDE,
        "table": asked.table,
        "at": target.at.isoformat(),
        "lsn": target.before_lsn,
        "before_job": str(asked.when) if isinstance(asked.when, UUID) else None,
        "load_run": str(asked.load_run) if asked.load_run else None,
    }
    return submission.submit(Plan(kind=NAME, reason=reason, options=options), actor, dry_run=dry_run)


def target_of(connection: psycopg.Connection, asked: Asked, now: datetime) -> Target:
    """The moment that was asked for. Raises CannotPlanRecoveryError."""
    if isinstance(asked.when, datetime):
        if asked.when > now:
            raise CannotPlanRecoveryError("That moment has not come yet.")
        return Target(asked.when)
    mark = marks.of_job(connection, asked.when)
    if mark is None:
        raise CannotPlanRecoveryError(
            f"Job {asked.when} has changed nothing in this warehouse: there is no moment just before it."
        )
    return Target(mark.at, mark.lsn)


def target_in(plan: Plan) -> Target:
    """The moment that a plan of this kind is about."""
    return Target(datetime.fromisoformat(plan.options["at"]), plan.options["lsn"])


def _preview(run: Run) -> Preview:
    began, writer = monotonic(), writer_of(run)
    journal.raise_fence(run.connection, writer)
    classes = _classes(run, writer)
    seconds, table = monotonic() - began, run.job.plan.options["table"]
    preview = {
        "tables": {table: classes.as_json()},
        "records": classes.rows,
        "preview_seconds": seconds,
        "estimate_seconds": seconds * 1.5,
    }
    return Preview([], [], preview)


def _classes(run: Run, writer: Writer) -> Classes:
    """Bring the rows, if they are not there yet, and compare them."""
    wanted, target = _wanted(run.job.plan), target_in(run.job.plan)
    if not recovered.is_there(run.connection, writer, wanted.extract):
        began = monotonic()

        def alive() -> None:
            run.progress(Progress(f"recover a copy to {target}, {monotonic() - began:.0f} s so far"))

        with copies.recovered(run.connection, target, name=writer.tag, alive=alive) as then:
            failpoint("recovered")
            recovered.bring(then, run.connection, wanted, writer, run.progress)
        failpoint("brought")
    run.progress(Progress(f"compare with stg.{wanted.extract.table}"))
    return recovered.classify(run.connection, writer, wanted.extract)


def _wanted(plan: Plan) -> Wanted:
    said = plan.options
    extract = registry.current().of_table(said["table"])
    load_run = UUID(said["load_run"]) if said["load_run"] else None
    return Wanted(extract, datetime.fromisoformat(said["at"]), load_run, f"recovered: {plan.reason}"[:500])


def _execute(run: Run) -> dict[str, Any]:
    began, writer, plan = monotonic(), writer_of(run), run.job.plan
    journal.raise_fence(run.connection, writer)
    if outcome := journal.done(run.connection, writer.job_id, STEP):
        aside.sweep(run.connection, writer.job_id)
        return outcome
    classes, extract = _classes(run, writer), _wanted(plan).extract
    expected = plan.tables[extract.table]["recovered"]
    if classes.rows != expected:
        raise CannotPlanRecoveryError(
            f"The copy holds {classes.rows:,} rows now and held {expected:,} at the preview, though the past does not"
            " change: the repository has. Nothing was changed; ask for it again."
        )
    seconds = monotonic() - began
    if (preview := plan.preview or {}).get("preview_seconds", 0.0) > seconds:  # what it brought was used again
        seconds = float(preview["preview_seconds"])
    with run.connection.transaction():
        journal.hold_fence(run.connection, writer)
        brought = sql.SQL("TABLE {}").format(recovered.table(writer, extract))
        side = side_tables.make(run.connection, extract, brought, writer)
        made = f"{side_tables.SCHEMA}.{side.name}"
        outcome = {"tables": {extract.table: classes.as_json()}, "side": made, "at": plan.options["at"]}
        proofs.keep(
            run.connection,
            writer,
            proofs.POINT_IN_TIME,
            drill=False,
            seconds=seconds,
            holds=True,
            rows=classes.rows,
            told=f"stg.{extract.table} at {target_in(plan)}",
            compared={},
        )
        journal.record(run.connection, writer, STEP, outcome)
        journal.effect(run.connection, writer, NAME, outcome)
        failpoint("recovering")
    aside.sweep(run.connection, writer.job_id)
    return outcome


def classes_of(job: Job) -> Classes | None:
    """What came, against staging: of the execution, else of the preview; None before there is either."""
    counts = job.tables.get(job.plan.options["table"])
    return Classes(**{name: counts[name] for name in Classes.__dataclass_fields__}) if counts else None


def as_json(job: Job) -> dict[str, Any]:
    """What a command says of a recovery besides what it says of every job."""
    classes, target = classes_of(job), target_in(job.plan)
    return {
        "table": job.plan.options["table"],
        "target": {"at": target.at.isoformat(), "before_lsn": target.before_lsn or None},
        "classes": {**asdict(classes), "rows": classes.rows} if classes else None,
        "side": (job.outcome or {}).get("side"),
    }


def _describe(job: Job) -> Described:
    options, classes, side = job.plan.options, classes_of(job) or Classes(), (job.outcome or {}).get("side", "")
    whose = f", those that load run {options['load_run']} owned," if options["load_run"] else ""
    return Described(
        what=f"Recover the rows of stg.{options['table']}{whose} as they were at {target_in(job.plan)}, by a throw-away"
        " server, into a table beside staging.",
        number=classes.rows,
        counted="row comes back" if classes.rows == 1 else "rows come back",
        columns=("Not in staging", "Identical", "Same owner, changed", "Older owner", "Newer owner"),
        rows=[(f"stg.{options['table']}", tuple(f"{keys:,}" for keys in asdict(classes).values()))],
        way_back="Staging is not touched, and the table beside it goes by itself after a week.",
        ended=f"The rows lie in {side}. Staging is as it was.",
        verb="Recover",
    )


KIND = Kind(
    NAME,
    "Recovery",
    False,
    _preview,
    _execute,
    lambda connection, job_id: journal.done(connection, job_id, STEP),
    describe=_describe,
)
