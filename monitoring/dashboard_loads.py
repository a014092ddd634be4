"""How loads have gone: in all, over time, by extract and by practice. Read from the figures, never from etl."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import psycopg
from django.urls import reverse

from monitoring.charts import Chart, Series, over_time
from monitoring.periods import Period
from monitoring.tables import COUNT, MOMENT, SECONDS, SHARE, SPARK, Column, Linked, Spark, Table
from monitoring.wanted import Wanted
from warehouse import figures_reading as figures
from warehouse.figures_reading import Bucket, Cause, Files, Part, Point, Scope, Superseded

MOST_POINTS = 30


@dataclass(frozen=True)
class Loads:
    """`failed`: files that count still, of all time and of how many causes; `stuck`: runs, of all time."""

    totals: Files
    median: float | None
    p95: float | None
    states: Table
    files: Chart
    records: Chart
    extracts: Table
    practices: Table
    causes: Table
    failed: int
    failed_causes: int
    stuck: int
    superseded: Superseded
    superseded_days: Chart


def look(connection: psycopg.Connection, wanted: Wanted) -> Loads:
    scope, period = wanted.scope, wanted.period
    by_hour = period.by_hour and not scope.practice
    buckets = figures.series(connection, scope, figures.HOUR if by_hour else figures.DAY)
    taken = figures.durations(connection, scope)
    whole = taken.get("", {})
    failed = figures.failed(connection)
    gone, gone_days = figures.superseded(connection, scope)
    return Loads(
        totals=figures.totals(connection, scope),
        median=whole.get(0.5),
        p95=whole.get(0.95),
        states=_states(connection, wanted),
        files=_files(buckets, period, by_hour=by_hour),
        records=_records(buckets, period, by_hour=by_hour),
        extracts=_by(connection, wanted, figures.EXTRACT, taken if _has_extracts(taken, scope) else {}),
        practices=_by(connection, wanted, figures.PRACTICE, taken if scope.per == figures.PRACTICE else {}),
        causes=_causes(failed.causes),
        failed=failed.files,
        failed_causes=failed.number,
        stuck=figures.stuck_runs(connection),
        superseded=gone,
        superseded_days=_superseded(gone_days, period),
    )


def _states(connection: psycopg.Connection, wanted: Wanted) -> Table:
    """Runs as their list shows them: of those that go, the silent ones are stuck."""
    found = figures.runs_by_state(connection, wanted.scope)
    stuck = figures.stuck_runs(connection, wanted.scope)
    if "running" in found:
        found["running"] -= stuck
    told = {**found, "stuck": stuck}
    rows = [(state, Linked(number, wanted.runs(state=state))) for state, number in told.items() if number]
    return Table("load-runs", "Load runs by state", (Column("State", "state"), Column("Load runs", COUNT)), rows)


def _moments(period: Period, *, by_hour: bool) -> list[datetime]:
    return period.hours if by_hour else period.days


def _placed(moments: Sequence[datetime], found: Sequence[Any], name: str) -> list[float]:
    """The values of an attribute at these moments, zero where there is none."""
    at = {bucket.bucket.timestamp(): getattr(bucket, name) for bucket in found}
    return [at.get(moment.timestamp(), 0) for moment in moments]


def _files(buckets: list[Bucket], period: Period, *, by_hour: bool) -> Chart:
    moments = _moments(period, by_hour=by_hour)
    named = (
        ("completed", "ok", "completed"),
        ("waiting", "progress", "in work"),
        ("failed", "bad", "failed"),
    )
    series = [Series(label, css, COUNT, _placed(moments, buckets, name)) for name, css, label in named]
    return over_time("files", "Files loaded", moments, series, by_hour=by_hour)


def _records(buckets: list[Bucket], period: Period, *, by_hour: bool) -> Chart:
    moments = _moments(period, by_hour=by_hour)
    read, refused = (_placed(moments, buckets, name) for name in ("rows_read", "rejected"))
    taken = [max(all_of - part, 0) for all_of, part in zip(read, refused, strict=True)]
    series = [Series("taken", "neutral", COUNT, taken), Series("refused", "attention", COUNT, refused)]
    return over_time("records", "Records read", moments, series, by_hour=by_hour)


def _superseded(days: list[Superseded], period: Period) -> Chart:
    moments = period.days
    series = [Series("superseded", "neutral", "bytes", _placed(moments, days, "bytes"))]
    return over_time("superseded", "Raw superseded, by size of its files", moments, series, by_hour=False)


def _by(connection: psycopg.Connection, wanted: Wanted, by: str, taken: dict[str, dict[float, float]]) -> Table:
    found = figures.parts(connection, wanted.scope, by)
    sparks = _sparks(figures.points(connection, wanted.scope, by, most=MOST_POINTS))
    refused = "Refused" if by == figures.EXTRACT and not wanted.practice else "Refused on reading"
    columns = [
        Column(by.capitalize()),
        Column("Last success", MOMENT),
        Column("Newest data of", MOMENT, minor=True),
        Column("Files", COUNT, minor=True),
        Column("Failed", COUNT),
        Column("Records", COUNT, minor=True),
        Column(refused, SHARE),
        Column("over time", SPARK),
    ]
    if taken:
        columns += [Column("Median", SECONDS, minor=True), Column("95 of 100", SECONDS, minor=True)]
    rows = [(*_row(part, wanted, by, sparks), *_taken(taken, part.name)) for part in found]
    title = f"By {by}"
    return Table(f"by-{by}", title, tuple(columns), rows, f"No file of any {by} was ever loaded.")


def _row(part: Part, wanted: Wanted, by: str, sparks: dict[str, Spark]) -> tuple[Any, ...]:
    return (
        Linked(part.name, wanted.narrowed(**{by: part.name})) if part.name else "none given",
        part.last_success,
        part.last_extracted,
        part.files,
        part.failed,
        part.rows_read,
        part.reject_rate,
        sparks.get(part.name, Spark(())),
    )


def _has_extracts(taken: dict[str, dict[float, float]], scope: Scope) -> bool:
    """Whether the durations tell the extracts of this scope apart, or are those of its one extract."""
    return scope.per == figures.EXTRACT or (scope.per == "all" and set(taken) != {""})


def _taken(taken: dict[str, dict[float, float]], name: str) -> tuple[Any, ...]:
    """The two quantiles; of a scope that is one extract or practice, those of the whole."""
    if not taken:
        return ()
    found = taken[""] if set(taken) == {""} else taken.get(name, {})
    return found.get(0.5), found.get(0.95)


def _sparks(points: list[Point]) -> dict[str, Spark]:
    """Of each part the share that was refused, step by step."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for point in points:
        if point.rows_read:
            found[point.part][point.number] = point.rejected / point.rows_read
    last = max((point.number for point in points), default=-1)
    return {part: Spark(tuple(rates.get(n) for n in range(last + 1))) for part, rates in found.items()}


def _causes(found: list[Cause]) -> Table:
    """The most frequent causes of failed files, as discovery lists them."""
    columns = (Column("Files", COUNT), Column("What happened"), Column("Extracts", minor=True))
    rows = [
        (
            Linked(cause.files, f"{reverse('discovery')}?{urlencode({'why': 'failed', 'cause': cause.cause})}"),
            cause.told,
            ", ".join(cause.extracts),
        )
        for cause in found
    ]
    return Table("causes", "Failed files by cause", columns, rows, "No failed file waits.")
