"""How reprocessing goes: what runs now, how it ended lately, by reason, extract and time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from jobs import listing, remaining
from jobs.models import Job
from monitoring import job_figures
from monitoring.charts import Chart, Series, over_time
from monitoring.job_figures import Ended, Queue
from monitoring.tables import COUNT, ID, MOMENT, SECONDS, SHARE, STATE, Column, Linked, Table
from monitoring.wanted import Wanted
from warehouse.registry import Registry

MOST_RUNNING = 20
MOST_REASONS = 10


@dataclass(frozen=True)
class Jobs:
    running: Table
    queue: Queue
    ended: Ended
    states: Table
    reasons: Table
    extracts: Table
    chart: Chart


def look(wanted: Wanted, registry: Registry, now: datetime) -> Jobs:
    """Everything but what runs now is about the reprocessings that were asked for in the period."""
    asked = listing.filtered(
        listing.Wanted(
            kind=job_figures.REPROCESS,
            table=wanted.table,
            since=wanted.period.since,
            until=wanted.period.until,
        )
    )
    return Jobs(
        running=_running(now),
        queue=job_figures.queue(now),
        ended=job_figures.ended(asked),
        states=_states(wanted, asked),
        reasons=_reasons(asked),
        extracts=_extracts(asked, registry),
        chart=_chart(asked, wanted),
    )


def _running(now: datetime) -> Table:
    columns = (
        Column("State", STATE),
        Column("Job", ID),
        Column("Reason"),
        Column("Begun", MOMENT, minor=True),
        Column("Left, about", SECONDS),
    )
    found = Job.objects.filter(state__in=Job.WORKABLE).select_related("plan").order_by("created_at")[:MOST_RUNNING]
    rows = [
        (
            job.state,
            Linked(str(job.pk), job.get_absolute_url()),
            job.plan.reason,
            job.started_at,
            remaining.seconds(job, now),
        )
        for job in found
    ]
    return Table("running", "Under way", columns, rows, "No job is under way.")


def _states(wanted: Wanted, asked: QuerySet[Job]) -> Table:
    columns = (Column("State", STATE), Column("Jobs", COUNT))
    rows = [
        (state, Linked(n, wanted.jobs(kind=job_figures.REPROCESS, state=state)))
        for _kind, state, n in job_figures.by_state(asked)
    ]
    return Table("jobs", "Reprocessings by state", columns, rows)


def _outcome(name: Any, n: int, good: int, bad: int) -> tuple[Any, ...]:
    return (name, n, good, bad, good / (good + bad) if good + bad else None)


def _reasons(asked: QuerySet[Job]) -> Table:
    rows = [_outcome(*counted) for counted in job_figures.by_reason(asked, most=MOST_REASONS)]
    return Table("by-reason", "Reprocessings by reason", (Column("Reason"), *_OUTCOMES), rows)


def _extracts(asked: QuerySet[Job], registry: Registry) -> Table:
    names = {extract.table: extract.name for extract in registry.extracts}
    rows = [_outcome(names.get(table, table), *counts) for table, *counts in job_figures.by_table(asked)]
    return Table("jobs-by-extract", "Reprocessings by extract", (Column("Extract"), *_OUTCOMES), rows)


_OUTCOMES = (Column("Jobs", COUNT), Column("Succeeded", COUNT), Column("Failed", COUNT), Column("Success", SHARE))


def _chart(asked: QuerySet[Job], wanted: Wanted) -> Chart:
    period = wanted.period
    moments = period.hours if period.by_hour else period.days
    found = job_figures.over_time(asked, "hour" if period.by_hour else "day")
    named = (("succeeded", "ok"), ("failed", "bad"), ("neither", "neutral"))
    series = [
        Series(label, css, COUNT, [found.get(moment.timestamp(), (0, 0, 0))[place] for moment in moments])
        for place, (label, css) in enumerate(named)
    ]
    return over_time("jobs-over-time", "Reprocessings asked for", moments, series, by_hour=period.by_hour)
