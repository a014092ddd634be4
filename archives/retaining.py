"""Asking for a rule of retention to count for the sets that are there too, and the kind of job that does it.

Where it makes any of them expire sooner, somebody else must approve it.
"""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse

from access import rights
from audit.transitions import record
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from warehouse import archive_retention, journal, retention_change
from warehouse.amounts import things, word
from warehouse.archive_retention import Rule
from warehouse.retention_change import Affected

NAME = "retention rule"


def ask(*, table: str, words: str, days: int, why: str, actor: User, now: datetime) -> Job:
    """Plan it. Raises PermissionDenied, TooShortError."""
    rights.demand(actor, rights.CLEAN_UP)
    archive_retention.demand(days)
    options = {"table": table, "words": words, "days": days, "now": now.isoformat()}
    return submission.submit(Plan(kind=NAME, reason=why, options=options), actor)


def _rule(job: Job) -> Rule:
    said = job.plan.options
    by, at = job.requested_by.get_username(), datetime.fromisoformat(said["now"])
    return Rule(said["table"], said["words"], said["days"], job.plan.reason, by, at)


def _preview(run: Run) -> Preview:
    found = retention_change.affected(run.connection, _rule(run.job))
    cut = [one for one in found if one.cut]
    rows = sum(one.rows for one in cut)
    asks = [f"It cuts the retention of {things(len(cut), 'archive set')} with {rows:,} rows."] if cut else []
    tables = retention_change.cut_tables(found)
    preview = {"tables": tables, "records": 0, "estimate_seconds": 1.0, "asks": asks}
    return Preview([one.as_json() for one in found], [], preview)


def _execute(run: Run) -> dict[str, Any]:
    chosen = [Affected.from_json(item) for item in run.job.plan.included]
    return retention_change.apply(run.connection, writer_of(run), _rule(run.job), chosen)


def _ended(job: Job) -> None:
    if job.state == Job.State.SUCCEEDED and job.outcome:
        said = job.plan.options
        detail = {"table": said["table"], "words": said["words"], "days": said["days"], "reason": job.plan.reason}
        outcome = {name: job.outcome[name] for name in ("former", "sets", "cut")}
        record(job.requested_by, "retention set", job, {**detail, **outcome})


def _describe(job: Job) -> Described:
    said, found = job.plan.options, [Affected.from_json(item) for item in job.plan.included]
    cut = [one for one in found if one.cut]
    of = f"stg.{said['table']}" if said["table"] else "any table"
    for_what = f" archived for a reason that holds “{said['words']}”" if said["words"] else ""
    outcome = job.outcome or {}
    return Described(
        what=f"Keep sets of {of}{for_what} for {said['days']:,} days, those that are there too:"
        f" {things(len(cut), 'archive set')} {word(len(cut), 'expires', 'expire')} sooner,"
        f" {len(found) - len(cut):,} later.",
        number=len(found),
        counted=word(len(found), "archive set changes its expiry", "archive sets change their expiry"),
        columns=("Rows", "Expires now", "Will expire"),
        rows=[(_named(one), (f"{one.rows:,}", _day(one.former), _day(one.expires_at))) for one in found[:200]],
        notes=(f"The first 200 of {len(found):,} are listed.",) if len(found) > 200 else (),
        way_back="Until a set has expired its retention can be extended again; after the cleanup its rows are gone.",
        ended=f"The rule counts. {things(outcome.get('sets', 0), 'archive set')} changed their expiry,"
        f" {outcome.get('cut', 0):,} of them to a sooner day.",
        verb="Approve that",
        dangerous=bool(cut),
        links=(("See the rules", reverse("retention")),),
    )


def _named(one: Affected) -> str:
    return f"{', '.join(f'stg.{table}' for table in one.tables)} of set {one.set_id}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


KIND = Kind(
    NAME,
    "Rule of retention",
    False,
    _preview,
    _execute,
    lambda connection, job_id: journal.done(connection, job_id, retention_change.CHANGED),
    ended=_ended,
    asks_by_size=False,
    describe=_describe,
)
