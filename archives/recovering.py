"""The kind of job that recovers rows of one table as of a moment, from a throw-away server.

They go into a table beside staging, or become an archive set, which is then restored by the ordinary form: classified,
with a dry run, mapped columns, pins and approval.

Preview and execution do the same work: the rows are brought aside and compared with staging. What the preview has
brought is used again where it is still there; a worker that dies leaves nothing that counts, and the next begins anew.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import psycopg
from django.contrib.auth.models import User
from django.urls import reverse
from psycopg import sql

from access import rights
from archives import copies
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from jobs.origin import Origin
from recovery.repositories import Target
from warehouse import (
    archive_retention,
    aside,
    journal,
    marks,
    proofs,
    recovered,
    registry,
    side_tables,
    single,
)
from warehouse.amounts import word
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.progress import Progress
from warehouse.recovered import Classes, Wanted

NAME, STEP = "recover", "recover"
SIDE, SET = "side", "set"
INTO = (SIDE, SET)


class CannotPlanRecoveryError(TellableError):
    """What was asked for cannot be recovered; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Asked:
    """Rows of `table` at a moment, or just before the job of that id; of one load run or all of them."""

    table: str
    when: datetime | UUID
    load_run: UUID | None = None
    into: str = SIDE


def ask(
    connection: psycopg.Connection,
    asked: Asked,
    *,
    reason: str,
    actor: User,
    now: datetime,
    dry_run: bool = False,
    origin: Origin | None = None,
) -> Job:
    """Plan a recovery. `origin`: what asks, on whose behalf.

    Raises PermissionDenied, CannotPlanRecoveryError, NotRecoverableError.
    """
    rights.demand(actor, rights.RESTORE)
    if asked.table not in {extract.table for extract in registry.current().extracts}:
        raise CannotPlanRecoveryError(f"There is no table stg.{asked.table}.")
    target = target_of(connection, asked, now)
    copies.check(target)
    options = {
        "source": "point in time",
        "into": asked.into,
        "table": asked.table,
        "at": target.at.isoformat(),
        "lsn": target.before_lsn,
        "before_job": str(asked.when) if isinstance(asked.when, UUID) else None,
        "load_run": str(asked.load_run) if asked.load_run else None,
    }
    plan = Plan(kind=NAME, reason=reason, options=options)
    return submission.submit(plan, actor, dry_run=dry_run, origin=origin)


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
        outcome = {"tables": {extract.table: classes.as_json()}, "at": plan.options["at"], **_put(run, writer)}
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


def _put(run: Run, writer: Writer) -> dict[str, Any]:
    """Inside the transaction: make side table or set of the brought rows; what the outcome says of it.

    Raises CannotPlanRecoveryError, CannotArchiveError.
    """
    plan, wanted = run.job.plan, _wanted(run.job.plan)
    if plan.options["into"] == SIDE:
        side = side_tables.make(
            run.connection, wanted.extract, sql.SQL("TABLE {}").format(recovered.table(writer, wanted.extract)), writer
        )
        return {"side": f"{side_tables.SCHEMA}.{side.name}"}
    reason = f"recovered as of {target_in(plan)}: {plan.reason}"[:500]
    days = archive_retention.days(archive_retention.rules(run.connection), [wanted.extract.table], reason)
    expires_at = single.now(run.connection) + timedelta(days=days)
    made = recovered.as_set(run.connection, wanted, writer, reason=reason, expires_at=expires_at)
    if made is None:
        raise CannotPlanRecoveryError(
            f"stg.{wanted.extract.table} held no such row of a known load run at that moment: there is nothing to make"
            " a set of. Nothing was changed."
        )
    return {"set": str(made.set_id)}


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
        "set": (job.outcome or {}).get("set"),
    }


def _describe(job: Job) -> Described:
    options, classes, outcome = job.plan.options, classes_of(job) or Classes(), job.outcome or {}
    whose = f", those that load run {options['load_run']} owned," if options["load_run"] else ""
    beside = options["into"] == SIDE
    goes = "a table beside staging" if beside else "an archive set, which can be restored"
    links: tuple[tuple[str, str], ...] = ()
    ended = f"The rows lie in {outcome.get('side', '')}. Staging is as it was."
    if made := outcome.get("set"):
        links = (
            ("Restore the set: a dry run first", reverse("restore", args=[made])),
            ("See the set", reverse("archive_set", args=[made])),
        )
        ended = "The rows are an archive set. Staging is as it was: restore the set to have them there."
    return Described(
        what=f"Recover the rows of stg.{options['table']}{whose} as they were at {target_in(job.plan)}, by a throw-away"
        f" server, into {goes}.",
        number=classes.rows,
        counted=word(classes.rows, "row comes back", "rows come back"),
        columns=("Not in staging", "Identical", "Same owner, changed", "Older owner", "Newer owner"),
        rows=[(f"stg.{options['table']}", tuple(f"{keys:,}" for keys in asdict(classes).values()))],
        way_back="Staging is not touched, and the table beside it goes by itself after a week."
        if beside
        else "Staging is not touched, and the set goes when it has expired.",
        ended=ended,
        verb="Recover",
        links=links,
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
