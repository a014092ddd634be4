"""Keeps the figures of load runs and files true: the days that changed are computed anew from what lies in etl.

They are for eyes only: nothing that is written is decided by them. Which days changed is kept by triggers
(figures_schema.py) in the transaction that changed them. A refresh takes these marks away and computes their days in
one transaction; it reads after it has taken them, so that a change which commits meanwhile is either seen already or
leaves its own mark. After a death nothing of it has happened.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from warehouse import names
from warehouse.figures_schema import BY_RUN, FIGURES, RUNS, STEP, SUPERSEDED
from warehouse.locks import NAMESPACE

LOCK = "figures"
SMALL_BYTES = 32_000_000
MOST_SPANS = 100  # separate spans of days; beyond them it is quicker to compute everything
ALWAYS = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class State:
    """`version` rises with every change. `days`: how many days are not true any more."""

    zone: str
    version: int
    refreshed_at: datetime
    checked_at: datetime
    days: int


def state(connection: psycopg.Connection) -> State | None:
    """How the figures stand; None where they were never computed."""
    found = connection.execute(
        "SELECT s.zone, s.version, s.refreshed_at, s.checked_at, (SELECT count(DISTINCT"
        " date_trunc('day', d.hour, s.zone)) + count(*) FILTER (WHERE d.hour IS NULL) * 100000"
        " FROM restage.figures_stale d) FROM restage.figures_state s"
    ).fetchone()
    return State(*found) if found else None


def small(connection: psycopg.Connection) -> bool:
    """Whether everything can be computed while somebody waits."""
    found = connection.execute("SELECT pg_relation_size('etl.load_run_files') < %s", [SMALL_BYTES]).fetchone()
    return found == (True,)


def refresh(connection: psycopg.Connection, *, zone: str) -> bool:
    """Compute what is not true any more, in days of this zone; whether that was done: another session may be at it.

    Needs an autocommit connection that reads what was committed (READ COMMITTED).
    """
    with connection.transaction():
        if not _mine(connection):
            return False
        known = connection.execute("SELECT zone FROM restage.figures_state").fetchone()
        marks = connection.execute(
            "WITH taken AS (DELETE FROM restage.figures_stale RETURNING hour, what)"
            " SELECT DISTINCT what, edge FROM taken CROSS JOIN LATERAL (VALUES (date_trunc('day', hour, %(zone)s)),"
            " (date_trunc('day', hour + interval '1 hour' - interval '1 microsecond', %(zone)s))) e (edge)",
            {"zone": zone},
        ).fetchall()
        everything = known is None or known[0] != zone or any(edge is None for _what, edge in marks)
        for what in (RUNS, SUPERSEDED):
            days = [edge for of, edge in marks if of == what and edge]
            for span in [ALWAYS] if everything else list(_spans(connection, days, zone)):
                _compute(connection, what, span, zone)
        if everything or marks:
            _note(connection, zone, checked=everything)
        else:
            connection.execute("UPDATE restage.figures_state SET refreshed_at = clock_timestamp()")
    return True


def check(connection: psycopg.Connection, *, zone: str) -> list[datetime] | None:
    """Compare every day with etl, and mark those that differ for the next refresh; None where another session is at
    it. The triggers see to it that none does, unless somebody has worked past them (a replica's role, a restored
    table)."""
    with connection.transaction():
        if not _mine(connection):
            return None
        differing = connection.execute(_DIFFERING, {"zone": zone}).fetchall()
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO restage.figures_stale VALUES (%s, %s)",
                [(day, what) for what, day in differing],
            )
        connection.execute("UPDATE restage.figures_state SET checked_at = clock_timestamp()")
    return sorted({day for _what, day in differing})


def _mine(connection: psycopg.Connection) -> bool:
    locked = connection.execute("SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))", [NAMESPACE, LOCK]).fetchone()
    return locked == (True,)


def _note(connection: psycopg.Connection, zone: str, *, checked: bool) -> None:
    connection.execute(
        "INSERT INTO restage.figures_state AS s (zone, version, refreshed_at, checked_at)"
        " VALUES (%(zone)s, 1, clock_timestamp(), clock_timestamp()) ON CONFLICT (one) DO UPDATE"
        " SET zone = excluded.zone, version = s.version + 1, refreshed_at = excluded.refreshed_at,"
        " checked_at = CASE WHEN %(checked)s THEN excluded.checked_at ELSE s.checked_at END",
        {"zone": zone, "checked": checked},
    )


def _spans(connection: psycopg.Connection, days: Iterable[datetime], zone: str) -> Iterator[Span]:
    """Days that follow each other as one span; everything where there are too many."""
    begun: list[Span] = []
    for start in sorted(days):
        (stop,) = connection.execute(
            "SELECT (%(start)s AT TIME ZONE %(zone)s + interval '1 day') AT TIME ZONE %(zone)s",
            {"start": start, "zone": zone},
        ).fetchone() or (start + timedelta(days=1),)
        if begun and begun[-1][1] == start:
            begun[-1] = (begun[-1][0], stop)
        else:
            begun.append((start, stop))
    yield from begun if len(begun) <= MOST_SPANS else [ALWAYS]


def _compute(connection: psycopg.Connection, what: str, span: Span, zone: str) -> None:
    values = {"start": span[0], "stop": span[1], "zone": zone}
    for name in BY_RUN if what == RUNS else ("superseded",):
        for statement in _anew(name) if span == ALWAYS else [_changes(name)]:
            connection.execute(statement, values)
    if what == RUNS:
        connection.execute(_FORGET_LATEST, values)
        connection.execute(_LATEST, values)


def _anew(name: str) -> list[sql.Composed]:
    table = sql.Identifier("restage", f"figures_{name}")
    return [
        sql.SQL("DELETE FROM {}").format(table),
        sql.SQL("INSERT INTO {} {}").format(table, sql.SQL(_SELECTS[name])),
    ]


def _changes(name: str) -> sql.Composed:
    """One statement: of a day most figures stay as they are, and writing them costs more than making them."""
    cells = FIGURES[name]
    return sql.SQL(
        "WITH made AS MATERIALIZED (SELECT * FROM (SELECT * FROM {table} WHERE false UNION ALL ({made})) m"
        " WHERE bucket >= %(start)s AND bucket < %(stop)s),"
        " gone AS (DELETE FROM {table} WHERE ({key}) IN"
        " (SELECT {key} FROM {table} WHERE {in_span} EXCEPT SELECT {key} FROM made))"
        " INSERT INTO {table} (SELECT * FROM made EXCEPT SELECT * FROM {table} WHERE {in_span})"
        " ON CONFLICT ({key}) DO UPDATE SET ({values}) = ROW ({new})"
    ).format(
        table=sql.Identifier("restage", f"figures_{name}"),
        made=sql.SQL(_SELECTS[name]),
        in_span=sql.SQL((_EVERY_KIND if name == "files" else "") + "bucket >= %(start)s AND bucket < %(stop)s"),
        key=names.columns(cells.key),
        values=names.columns(cells.values),
        new=names.columns(cells.values, of="excluded"),
    )


def _within(moment: LiteralString, *buckets: LiteralString) -> LiteralString:
    """Of which moments the buckets of a span are made. Where clocks go back over midnight, a day begins at the second
    one: moments before it are of that day, their hours of the one before. Only near its ends that is looked at."""
    hours = "interval '3 hours'"
    near = f"{moment} >= %(start)s - {hours} AND {moment} < %(stop)s + {hours}"
    inside = f"{moment} >= %(start)s + {hours} AND {moment} < %(stop)s - {hours}"
    return f"{near} AND ({' OR '.join([inside, *(f'{b} >= %(start)s AND {b} < %(stop)s' for b in buckets)])})"


# The index begins with them.
_EVERY_KIND = "grain IN ('day', 'hour') AND per IN ('all', 'extract', 'practice', 'both') AND "
_DAY, _HOUR = "date_trunc('day', r.created_at, %(zone)s)", "date_trunc('hour', r.created_at, %(zone)s)"
_IN_SPAN = _within("r.created_at", _DAY, _HOUR)
_FILES_OF_RUNS = f"etl.load_runs r JOIN etl.load_run_files f USING (load_run_id) WHERE {_IN_SPAN}"
_PER = """CASE grouping(extract_type, practice_id) WHEN 3 THEN 'all' WHEN 1 THEN 'extract' WHEN 2 THEN 'practice'
    ELSE 'both' END"""
_NAMES = "coalesce(extract_type, ''), coalesce(practice_id, '')"

MEASURES = """count(*), count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'),
    count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'processing'),
    count(*) FILTER (WHERE status = 'rolled_back'), count(*) FILTER (WHERE superseded_at IS NOT NULL),
    count(*) FILTER (WHERE status = 'failed' AND superseded_at IS NULL),
    count(*) FILTER (WHERE status = 'failed' AND superseded_at IS NOT NULL),
    coalesce(sum(extract(epoch FROM superseded_at - ended)) FILTER (WHERE status = 'failed'), 0),
    coalesce(sum(rows_read) FILTER (WHERE status = 'completed'), 0),
    coalesce(sum(rows_ingested) FILTER (WHERE status = 'completed'), 0),
    coalesce(sum(rows_rejected) FILTER (WHERE status = 'completed'), 0),
    coalesce(sum(content_bytes) FILTER (WHERE status = 'completed'), 0),
    max(ended) FILTER (WHERE status = 'completed'), max(ended) FILTER (WHERE status = 'failed'),
    max(extracted) FILTER (WHERE status = 'completed' AND superseded_at IS NULL)"""
FILES = """f.extract_type, f.practice_id, f.status, f.superseded_at, f.rows_read, f.rows_ingested, f.rows_rejected,
    f.content_bytes, coalesce(f.finished_at, f.updated_at, f.created_at) AS ended,
    nullif(restage.extracted_at(f.date_extracted), '-infinity') AS extracted"""
TOLD_STATE = """CASE WHEN r.status = 'completed' AND EXISTS (SELECT FROM etl.load_run_files b
    WHERE b.load_run_id = r.load_run_id AND b.status = 'failed' AND b.superseded_at IS NULL)
    THEN 'completed with failures' ELSE r.status END"""
TOLD_CAUSE = "coalesce(restage.told_of(f.error_message, f.s3_key), 'No reason was kept.')"

_IN_RAW = "NOT EXISTS (SELECT FROM restage.raw_deletions d WHERE d.load_run_file_id = f.load_run_file_id)"

_SELECTS: dict[str, LiteralString] = {
    "files": f"""SELECT CASE grouping(day) WHEN 0 THEN 'day' ELSE 'hour' END, {_PER}, coalesce(day, hour), {_NAMES},
    {MEASURES}
FROM (SELECT {_DAY} AS day, {_HOUR} AS hour, {FILES} FROM {_FILES_OF_RUNS}) f
GROUP BY GROUPING SETS ((day), (day, extract_type), (day, practice_id), (day, extract_type, practice_id),
    (hour), (hour, extract_type))""",
    "runs": f"""WITH told AS MATERIALIZED (SELECT r.load_run_id, {_DAY} AS day, {TOLD_STATE} AS state
    FROM etl.load_runs r WHERE {_IN_SPAN}),
pairs AS MATERIALIZED (SELECT DISTINCT t.load_run_id, t.day, t.state, f.extract_type, f.practice_id
    FROM told t JOIN etl.load_run_files f USING (load_run_id))
SELECT 'all', day, '', '', state, count(*) FROM told GROUP BY day, state
UNION ALL SELECT 'extract', day, extract_type, '', state, count(*)
    FROM (SELECT DISTINCT load_run_id, day, state, extract_type FROM pairs) e GROUP BY day, state, extract_type
UNION ALL SELECT 'practice', day, '', practice_id, state, count(*)
    FROM (SELECT DISTINCT load_run_id, day, state, practice_id FROM pairs) p GROUP BY day, state, practice_id
UNION ALL SELECT 'both', day, extract_type, practice_id, state, count(*)
    FROM pairs GROUP BY day, state, extract_type, practice_id""",
    "transforms": f"""SELECT CASE grouping(day) WHEN 0 THEN 'day' ELSE 'hour' END, coalesce(day, hour), extract_type,
    coalesce(sum(total_rows_rejected), 0)
FROM (SELECT {_DAY} AS day, {_HOUR} AS hour, s.extract_type, s.total_rows_rejected
    FROM etl.load_runs r JOIN etl.staging_runs s USING (load_run_id) WHERE {_IN_SPAN} AND s.status = 'completed') s
GROUP BY GROUPING SETS ((day, extract_type), (hour, extract_type))""",
    "durations": f"""SELECT {_PER}, day, {_NAMES}, step, count(*)
FROM (SELECT {_DAY} AS day, f.extract_type, f.practice_id, {STEP} AS step FROM {_FILES_OF_RUNS}
    AND f.status = 'completed' AND f.finished_at >= f.started_at) f
GROUP BY GROUPING SETS ((day, step), (day, step, extract_type), (day, step, practice_id))""",
    "causes": f"""SELECT day, extract_type, left(md5(told), 8) AS cause, min(told), count(*)
FROM (SELECT {_DAY} AS day, f.extract_type, {TOLD_CAUSE} AS told FROM {_FILES_OF_RUNS}
    AND f.status = 'failed' AND f.superseded_at IS NULL) f
GROUP BY day, extract_type, cause""",
    "superseded": f"""SELECT date_trunc('day', superseded_at, %(zone)s), extract_type, count(*), sum(rows_ingested),
    coalesce(sum(content_bytes), 0)
FROM etl.load_run_files f WHERE {_within("superseded_at", "date_trunc('day', superseded_at, %(zone)s)")}
    AND rows_ingested > 0 AND {_IN_RAW}
GROUP BY 1, 2""",
}

_MONTHS = """bucket >= date_trunc('month', %(start)s::timestamptz, %(zone)s)
    AND bucket < (date_trunc('month', %(stop)s::timestamptz - interval '1 microsecond', %(zone)s) AT TIME ZONE %(zone)s
    + interval '1 month') AT TIME ZONE %(zone)s"""
_FORGET_LATEST = f"DELETE FROM restage.figures_latest WHERE {_MONTHS}"
_LATEST = f"""INSERT INTO restage.figures_latest
SELECT per, date_trunc('month', bucket, %(zone)s), extract_type, practice_id, max(last_success), max(last_failure),
    max(last_extracted)
FROM restage.figures_files WHERE grain = 'day' AND per IN ('extract', 'practice') AND {_MONTHS} GROUP BY 1, 2, 3, 4"""

# Days of which any sum differs. It reads all of etl once and writes only marks.
_DIFFERING = f"""
SELECT '{RUNS}', day FROM (
    SELECT {_DAY} AS day, count(*) AS files, count(*) FILTER (WHERE f.status = 'completed') AS completed,
        count(*) FILTER (WHERE f.status = 'failed') AS failed,
        count(*) FILTER (WHERE f.superseded_at IS NOT NULL) AS superseded,
        coalesce(sum(f.rows_read) FILTER (WHERE f.status = 'completed'), 0) AS rows_read,
        coalesce(sum(f.rows_rejected) FILTER (WHERE f.status = 'completed'), 0) AS rows_rejected,
        coalesce(sum(f.content_bytes) FILTER (WHERE f.status = 'completed'), 0) AS bytes
    FROM etl.load_runs r JOIN etl.load_run_files f USING (load_run_id) GROUP BY 1) f
FULL JOIN (SELECT bucket AS day, files, completed, failed, superseded, rows_read, rows_rejected, bytes
    FROM restage.figures_files WHERE grain = 'day' AND per = 'all') k USING (day)
WHERE (f.files, f.completed, f.failed, f.superseded, f.rows_read, f.rows_rejected, f.bytes)
    IS DISTINCT FROM (k.files, k.completed, k.failed, k.superseded, k.rows_read, k.rows_rejected, k.bytes)
UNION SELECT '{RUNS}', day FROM (SELECT {_DAY} AS day, {TOLD_STATE} AS state, count(*) AS runs FROM etl.load_runs r
    GROUP BY 1, 2) r
FULL JOIN (SELECT bucket AS day, state, runs FROM restage.figures_runs WHERE per = 'all') k USING (day, state)
WHERE r.runs IS DISTINCT FROM k.runs
UNION SELECT '{SUPERSEDED}', day FROM (SELECT date_trunc('day', superseded_at, %(zone)s) AS day,
    extract_type, sum(rows_ingested) AS rows FROM etl.load_run_files f
    WHERE superseded_at IS NOT NULL AND rows_ingested > 0 AND {_IN_RAW} GROUP BY 1, 2) s
FULL JOIN (SELECT bucket AS day, extract_type, rows FROM restage.figures_superseded) k USING (day, extract_type)
WHERE s.rows IS DISTINCT FROM k.rows
"""
