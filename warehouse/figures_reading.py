"""What the figures say, for a span of whole days: read from the tables that figures.py keeps, never from etl itself."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil

import psycopg
from psycopg.rows import class_row

from warehouse.discovery import SILENT_FOR
from warehouse.figures_schema import FIRST_SECONDS, GROWTH

DAY, HOUR = "day", "hour"
MOST_DAYS_APART = 92
EXTRACT, PRACTICE = "extract", "practice"


@dataclass(frozen=True)
class Scope:
    """The load runs made from `start` to before `stop`; of one extract or practice only where it is given."""

    start: datetime
    stop: datetime
    extract: str = ""
    practice: str = ""

    @property
    def per(self) -> str:
        """Which cells of the figures hold this scope."""
        return (
            "both"
            if self.extract and self.practice
            else EXTRACT
            if self.extract
            else PRACTICE
            if self.practice
            else "all"
        )

    @property
    def values(self) -> dict[str, object]:
        return {**vars(self), "per": self.per}


@dataclass(frozen=True)
class Files:
    """Sums over files. `rejected`: records refused on reading, and by the transform where no practice is told apart
    (it knows none). `waiting`: pending or in processing."""

    files: int
    completed: int
    failed: int
    failed_live: int
    recovered: int
    recovery_seconds: float
    waiting: int
    rows_read: int
    rejected: int

    @property
    def reject_rate(self) -> float | None:
        """Of the records read, as a fraction; None where none was read."""
        return self.rejected / self.rows_read if self.rows_read else None

    @property
    def mean_recovery_seconds(self) -> float | None:
        """From the failure of a file until an attempt that replaced it counted."""
        return self.recovery_seconds / self.recovered if self.recovered else None

    @property
    def recovery_rate(self) -> float | None:
        return self.recovered / self.failed if self.failed else None


@dataclass(frozen=True)
class Bucket(Files):
    bucket: datetime


@dataclass(frozen=True)
class Part(Files):
    """One extract or practice. `last_success` and `last_extracted` are of all time: when a file of it was loaded last,
    and how new the newest data is."""

    name: str
    last_success: datetime | None
    last_failure: datetime | None
    last_extracted: datetime | None


@dataclass(frozen=True)
class Point:
    """`part`, in the `number`-th step of the span."""

    part: str
    number: int
    rows_read: int
    rejected: int


@dataclass(frozen=True)
class Cause:
    cause: str
    told: str
    files: int
    extracts: list[str]


@dataclass(frozen=True)
class Failed:
    """So many files, of so many causes; `causes`: the first of these."""

    files: int
    number: int
    causes: list[Cause]


@dataclass(frozen=True)
class Superseded:
    bucket: datetime
    files: int
    rows: int
    bytes: int


_SUMS = """coalesce(sum(files), 0)::bigint AS files, coalesce(sum(completed), 0)::bigint AS completed,
    coalesce(sum(failed), 0)::bigint AS failed, coalesce(sum(failed_live), 0)::bigint AS failed_live,
    coalesce(sum(recovered), 0)::bigint AS recovered, coalesce(sum(recovery_seconds), 0) AS recovery_seconds,
    coalesce(sum(pending + processing), 0)::bigint AS waiting, coalesce(sum(rows_read), 0)::bigint AS rows_read"""
_IN_SPAN = "bucket >= %(start)s AND bucket < %(stop)s"
_FITS = "(%(extract)s = '' OR extract_type = %(extract)s) AND (%(practice)s = '' OR practice_id = %(practice)s)"
_CELLS = f"""grain = %(grain)s AND per = %(per)s AND extract_type = %(extract)s AND practice_id = %(practice)s
    AND {_IN_SPAN}"""
_TRANSFORMS = f"""grain = %(grain)s AND %(practice)s = '' AND (%(extract)s = '' OR extract_type = %(extract)s)
    AND {_IN_SPAN}"""


def totals(connection: psycopg.Connection, scope: Scope) -> Files:
    with connection.cursor(row_factory=class_row(Files)) as cursor:
        found = cursor.execute(
            f"SELECT {_SUMS}, (coalesce(sum(rows_rejected), 0) + (SELECT coalesce(sum(rows_rejected), 0)"
            f" FROM restage.figures_transforms WHERE {_TRANSFORMS}))::bigint AS rejected"
            f" FROM restage.figures_files WHERE {_CELLS}",
            {**scope.values, "grain": DAY},
        ).fetchone()
    assert found is not None  # noqa: S101  a sum gives a row
    return found


def series(connection: psycopg.Connection, scope: Scope, grain: str) -> list[Bucket]:
    """Day by day or hour by hour; those without a file are left out. Of a practice there are days
    only."""
    with connection.cursor(row_factory=class_row(Bucket)) as cursor:
        return cursor.execute(
            f"SELECT bucket, {_SUMS}, coalesce(sum(rejected), 0)::bigint AS rejected FROM ("
            " SELECT bucket, files, completed, failed, failed_live, recovered, recovery_seconds, pending, processing,"
            f" rows_read, rows_rejected AS rejected FROM restage.figures_files WHERE {_CELLS}"
            " UNION ALL SELECT bucket, 0, 0, 0, 0, 0, 0, 0, 0, 0, rows_rejected"
            f" FROM restage.figures_transforms WHERE {_TRANSFORMS}) c GROUP BY bucket ORDER BY bucket",
            {**scope.values, "grain": grain},
        ).fetchall()


def parts(connection: psycopg.Connection, scope: Scope, by: str) -> list[Part]:
    """Every extract, or practice, that ever had a file in the scope's filters, those with failures that count first."""
    column, other = _columns(by)
    per = "both" if getattr(scope, other) else by
    transforms = (
        " UNION ALL SELECT extract_type, 0, 0, 0, 0, 0, 0, 0, 0, rows_rejected, NULL, NULL, NULL, 0"
        f" FROM restage.figures_transforms WHERE grain = 'day' AND (%(extract)s IN ('', extract_type)) AND {_IN_SPAN}"
        if per == EXTRACT
        else ""
    )
    ever = "restage.figures_latest WHERE" if per == by else "restage.figures_files WHERE grain = 'day' AND"
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(
            f"SELECT name, {_SUMS}, sum(rejected)::bigint AS rejected, max(last_success) AS last_success,"
            " max(last_failure) AS last_failure, max(last_extracted) AS last_extracted FROM ("
            f" SELECT {column} AS name, files, completed, failed, failed_live, recovered, recovery_seconds,"
            " pending + processing AS pending, rows_read, rows_rejected AS rejected, NULL::timestamptz AS last_success,"
            " NULL::timestamptz AS last_failure, NULL::timestamptz AS last_extracted, 0 AS processing"
            f" FROM restage.figures_files WHERE grain = 'day' AND per = %(per)s AND {_FITS} AND {_IN_SPAN}"
            f" UNION ALL SELECT {column}, 0, 0, 0, 0, 0, 0, 0, 0, 0, last_success, last_failure, last_extracted, 0"
            f" FROM {ever} per = %(per)s AND {_FITS}{transforms}) c"
            " GROUP BY name ORDER BY failed_live DESC, name",
            {**scope.values, "per": per},
        ).fetchall()


def points(connection: psycopg.Connection, scope: Scope, by: str, *, most: int) -> list[Point]:
    """Records read and refused of each extract or practice in at most `most` steps of whole days."""
    column, other = _columns(by)
    per = "both" if getattr(scope, other) else by
    step = ceil(((scope.stop - scope.start).total_seconds() / 86400 + 0.5) / most)
    transforms = (
        " UNION ALL SELECT extract_type, bucket, 0, rows_rejected FROM restage.figures_transforms"
        " WHERE grain = 'day' AND (%(extract)s = '' OR extract_type = %(extract)s)"
        f" AND {_IN_SPAN}"
        if per == EXTRACT
        else ""
    )
    with connection.cursor(row_factory=class_row(Point)) as cursor:
        return cursor.execute(
            "SELECT part, floor((extract(epoch FROM bucket - %(start)s) / 86400 + 0.1) / %(step)s)::integer AS number,"
            " sum(rows_read)::bigint AS rows_read, sum(rows_rejected)::bigint AS rejected FROM ("
            f" SELECT {column} AS part, bucket, rows_read, rows_rejected FROM restage.figures_files"
            f" WHERE grain = 'day' AND per = %(per)s AND {_IN_SPAN}"
            f" AND {_FITS}"
            f"{transforms}) c GROUP BY 1, 2",
            {**scope.values, "per": per, "step": step},
        ).fetchall()


def _columns(by: str) -> tuple[str, str]:
    return ("extract_type", PRACTICE) if by == EXTRACT else ("practice_id", EXTRACT)


def runs_by_state(connection: psycopg.Connection, scope: Scope) -> dict[str, int]:
    """Load runs by the state in which their list shows them, but for those that are silent ("running" here)."""
    found = connection.execute(
        "SELECT state, sum(runs)::bigint FROM restage.figures_runs WHERE per = %(per)s"
        f" AND extract_type = %(extract)s AND practice_id = %(practice)s AND {_IN_SPAN} GROUP BY 1 ORDER BY 2 DESC, 1",
        scope.values,
    ).fetchall()
    return dict(found)


def durations(connection: psycopg.Connection, scope: Scope) -> dict[str, dict[float, float]]:
    """Of the loads of completed files, the quantiles 0.5 and 0.95 in seconds, off by at most 5 %: of each extract, and
    under "" of the whole scope. Empty where both filters are given: they are kept by extract and by practice only. Of
    more than MOST_DAYS_APART days the whole alone is told: extracts would be hundreds of thousands of cells."""
    if scope.per == "both":
        return {}
    counted = (
        "SELECT CASE per WHEN 'extract' THEN extract_type ELSE '' END AS part, step, sum(files) AS files"
        f" FROM restage.figures_durations WHERE {_IN_SPAN} AND (per = %(per)s AND extract_type = %(extract)s"
        " AND practice_id = %(practice)s OR per = 'extract' AND %(per)s = 'all' AND %(apart)s) GROUP BY 1, 2"
    )
    found = connection.execute(
        "SELECT part, q::float8, min(step) FROM (SELECT part, step, sum(files) OVER (PARTITION BY part ORDER BY step)"
        f" AS seen, sum(files) OVER (PARTITION BY part) AS files FROM ({counted}) c) s"
        " CROSS JOIN (VALUES (0.5), (0.95)) wanted (q) WHERE seen >= q * files GROUP BY part, q",
        {**scope.values, "apart": (scope.stop - scope.start).days <= MOST_DAYS_APART},
    ).fetchall()
    quantiles: dict[str, dict[float, float]] = {}
    for part, q, step in found:  # the middle of the step on which the quantile falls
        of = part if scope.per == "all" else ""
        quantiles.setdefault(of, {})[q] = FIRST_SECONDS * GROWTH ** (step + 0.5)
    return quantiles


def failed(connection: psycopg.Connection, *, most: int = 5) -> Failed:
    """The failed files that count still, of all time, and what they failed of: the most frequent causes first.

    Grouped twice, because DISTINCT within an aggregate would sort every day's row.
    """
    found = connection.execute(
        "SELECT cause, min(told), sum(files)::bigint, array_agg(extract_type ORDER BY extract_type),"
        " sum(sum(files)) OVER ()::bigint, count(*) OVER ()"
        ' FROM (SELECT cause, extract_type, min(told COLLATE "C") AS told, sum(files) AS files'
        " FROM restage.figures_causes GROUP BY cause, extract_type) c GROUP BY cause ORDER BY 3 DESC, cause LIMIT %s",
        [most],
    ).fetchall()
    files, number = found[0][4:] if found else (0, 0)
    return Failed(files, number, [Cause(*row[:4]) for row in found])


def superseded(connection: psycopg.Connection, scope: Scope) -> tuple[Superseded, list[Superseded]]:
    """Raw that is superseded and lies there still: all of it, and what came to it day by day in the span."""
    where = "(%(extract)s = '' OR extract_type = %(extract)s)"
    with connection.cursor(row_factory=class_row(Superseded)) as cursor:
        sums = (
            "coalesce(sum(files), 0)::bigint AS files, coalesce(sum(rows), 0)::bigint AS rows,"
            " coalesce(sum(bytes), 0)::bigint AS bytes FROM restage.figures_superseded WHERE"
        )
        whole = cursor.execute(
            f"SELECT %(stop)s::timestamptz AS bucket, {sums} {where}",
            scope.values,
        ).fetchone()
        days = cursor.execute(
            f"SELECT bucket, {sums} {where} AND {_IN_SPAN} GROUP BY bucket ORDER BY bucket",
            scope.values,
        ).fetchall()
    assert whole is not None  # noqa: S101  a sum gives a row
    return whole, days


def stuck_runs(connection: psycopg.Connection, scope: Scope | None = None) -> int:
    """Runs that go and have said nothing for SILENT_FOR, neither themselves nor any file of theirs; of all time where
    no scope is given. Straight from etl: what goes is little, and time passes for it."""
    query = (
        "SELECT count(*) FROM etl.load_runs r WHERE status = 'running' AND updated_at < now() - %(silent)s"
        " AND NOT EXISTS (SELECT FROM etl.load_run_files f WHERE f.load_run_id = r.load_run_id"
        " AND f.updated_at >= now() - %(silent)s)"
    )
    if scope:
        query += (
            " AND r.created_at >= %(start)s AND r.created_at < %(stop)s AND (%(per)s = 'all' OR EXISTS ("
            "SELECT FROM etl.load_run_files f WHERE f.load_run_id = r.load_run_id"
            f" AND {_FITS}))"
        )
    found = connection.execute(query, {"silent": SILENT_FOR, **(scope.values if scope else {})}).fetchone()
    return found[0] if found else 0
