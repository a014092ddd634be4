"""Which files need to be read again, and why each that is found would be left out: one classification, in SQL."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from warehouse.registry import Registry

SILENT_FOR = timedelta(hours=2)
MOST_TRIES = 3
FIRST_WAIT = timedelta(minutes=15)  # doubled with every failed try
MOST_REJECTED = 0.05
WATCHED_FOR_REJECTS = timedelta(days=30)

WHYS = ("failed", "stuck", "pending", "rejects")
AGES = {"received": "received", "failed": "failed_at", "extracted": "extracted_at"}

# code → why a file that is found is left out
LEFT_OUT = {
    "undeclared": "nothing declares its extract",
    "still running": "its run still goes, or has been silent for less than 2 h",
    "in flight": "an active job is about its run",
    "reprocessed already": "it was reprocessed, and its records are still refused: its source or a rule must change",
    "rolled back": "a person took its reprocessing back; only a person asks for it again, by its load run",
    "quarantined": f"it could not be read {MOST_TRIES} times since the last release; release it to try again",
    "backing off": "it could not be read lately; the wait doubles with every failed try",
    "too old": "older than asked for",
    "too new": "newer than asked for",
    "beyond the limit": "more files than the limit come before it",
}


@dataclass(frozen=True)
class Filter:
    """What is looked for. `why`, `extract`, `cause`: only these (empty: any). The rest leaves files out, with a reason.

    `older_than`, `newer_than`: age on the clock that `age_of` names (received, failed, extracted).
    """

    why: str = ""
    extract: str = ""
    cause: str = ""
    age_of: str = "failed"
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    most: int = 500


@dataclass(frozen=True)
class Candidate:
    """A file that was found. `code`: why it is left out, or "" when it would be taken."""

    load_run_file_id: int
    load_run_id: UUID
    extract_type: str
    s3_key: str
    why: str
    cause: str
    told: str
    received: datetime
    failed_at: datetime | None
    extracted_at: datetime | None
    tries: int
    code: str


@dataclass(frozen=True)
class Cause:
    """Files that failed in the same way. `cause` is the fingerprint of `told`, which holds no name and no number."""

    cause: str
    told: str
    why: str
    files: int
    taken: int
    runs: int
    extracts: list[str]
    since: datetime
    last: datetime


@dataclass(frozen=True)
class Found:
    """`taken` + the sum of `left_out` = `files`; `ages` counts files by (label, number)."""

    files: int
    taken: int
    left_out: dict[str, int]
    causes: list[Cause]
    ages: list[tuple[str, int]]


_AGE_STEPS = (
    ("less than an hour", timedelta(hours=1)),
    ("less than a day", timedelta(days=1)),
    ("less than a week", timedelta(days=7)),
    ("less than a month", timedelta(days=30)),
)
OLDEST = "a month or more"

_FAILED = """
SELECT f.load_run_file_id, f.load_run_id, f.extract_type, f.s3_key,
    CASE f.status WHEN 'failed' THEN 'failed' WHEN 'pending' THEN 'pending' ELSE 'stuck' END AS why,
    CASE f.status WHEN 'failed' THEN coalesce(restage.told_of(f.error_message, f.s3_key), 'No reason was kept.')
        WHEN 'pending' THEN 'It was never taken up.' ELSE 'Its load stopped without a word.' END AS told,
    f.created_at AS received, coalesce(f.finished_at, f.updated_at, f.created_at) AS failed_at,
    nullif(restage.extracted_at(f.date_extracted), '-infinity') AS extracted_at,
    f.status <> 'failed' AND r.status = 'running'
        AND greatest(r.updated_at, f.updated_at) > now() - %(silent)s AS going,
    false AS again
FROM etl.load_run_files f JOIN etl.load_runs r USING (load_run_id)
WHERE f.status IN ('failed', 'pending', 'processing') AND f.superseded_at IS NULL"""

_REJECTS = """
SELECT f.load_run_file_id, f.load_run_id, f.extract_type, f.s3_key, 'rejects',
    'More than 5 of 100 records were refused.', f.created_at, coalesce(f.finished_at, f.updated_at, f.created_at),
    nullif(restage.extracted_at(f.date_extracted), '-infinity'), false,
    EXISTS (SELECT FROM restage.run_parents p WHERE p.load_run_id = f.load_run_id)
FROM (SELECT load_run_id, extract_type, sum(rows_read) AS read, sum(rows_rejected) AS unreadable
        FROM etl.load_run_files WHERE status = 'completed' AND created_at > now() - %(watched)s
        AND superseded_at IS NULL GROUP BY 1, 2) t
LEFT JOIN LATERAL (SELECT sum(s.total_rows_rejected) AS refused FROM etl.staging_runs s
        WHERE s.load_run_id = t.load_run_id AND s.extract_type = t.extract_type AND s.status = 'completed') s ON true
JOIN etl.load_run_files f ON f.load_run_id = t.load_run_id AND f.extract_type = t.extract_type
    AND f.status = 'completed' AND f.superseded_at IS NULL
WHERE coalesce(t.unreadable, 0) + coalesce(s.refused, 0) > %(rejected)s * coalesce(t.read, 0)"""

_CLASSIFIED = """
WITH found AS (SELECT c.*, left(md5(c.told), 8) AS cause,
    EXISTS (SELECT FROM etl.load_run_files n
    WHERE n.superseded_by_load_run_file_id = c.load_run_file_id AND n.status = 'rolled_back') AS taken_back
    FROM ({failed} UNION ALL {rejects}) c
    WHERE (%(why)s = '' OR c.why = %(why)s) AND (%(extract)s = '' OR c.extract_type = %(extract)s)
    AND (%(cause)s = '' OR left(md5(c.told), 8) = %(cause)s)),
tried AS (SELECT load_run_file_id, count(*)::integer AS tries, max(at) AS last FROM restage.failed_tries
    WHERE released_at IS NULL GROUP BY 1),
judged AS (SELECT f.*, coalesce(t.tries, 0) AS tries, now() - f.{age} AS age, CASE
    WHEN f.extract_type <> ALL(%(extracts)s) THEN 'undeclared'
    WHEN f.going THEN 'still running'
    WHEN f.load_run_id = ANY(%(held)s) THEN 'in flight'
    WHEN f.again THEN 'reprocessed already'
    WHEN f.taken_back THEN 'rolled back'
    WHEN t.tries >= %(most_tries)s THEN 'quarantined'
    WHEN t.last + %(wait)s * power(2, t.tries - 1) > now() THEN 'backing off'
    WHEN now() - f.{age} < %(older)s THEN 'too new'
    WHEN now() - f.{age} > %(newer)s THEN 'too old' ELSE '' END AS code
    FROM found f LEFT JOIN tried t USING (load_run_file_id)),
placed AS (SELECT *, row_number() OVER (PARTITION BY code = '' ORDER BY array_position(%(extracts)s, extract_type),
    extracted_at NULLS FIRST, load_run_file_id) AS place FROM judged),
classified AS (SELECT load_run_file_id, load_run_id, extract_type, s3_key, why, cause, told, received, failed_at,
    extracted_at, tries, age, place,
    CASE WHEN code = '' AND place > %(most)s THEN 'beyond the limit' ELSE code END AS code FROM placed)
{tail}"""


def find(connection: psycopg.Connection, registry: Registry, wanted: Filter, held: Iterable[UUID] = ()) -> Found:
    """Count what needs reprocessing, by reason to leave it out, by cause and by age. `held`: runs of active jobs."""
    codes = dict(_ask(connection, registry, wanted, held, "SELECT code, count(*) FROM classified GROUP BY code"))
    taken = codes.pop("", 0)
    causes = _ask(
        connection,
        registry,
        wanted,
        held,
        "SELECT cause, told, why, count(*), count(*) FILTER (WHERE code = ''), count(DISTINCT load_run_id),"
        " array_agg(DISTINCT extract_type), min(failed_at), max(failed_at)"
        " FROM classified GROUP BY cause, told, why ORDER BY count(*) DESC, cause LIMIT 100",
    )
    return Found(
        files=taken + sum(codes.values()),
        taken=taken,
        left_out={code: codes[code] for code in LEFT_OUT if code in codes},
        causes=[Cause(*row) for row in causes],
        ages=_ages(connection, registry, wanted, held),
    )


def candidates(
    connection: psycopg.Connection,
    registry: Registry,
    wanted: Filter,
    held: Iterable[UUID] = (),
    *,
    only_taken: bool = False,
    limit: int | None = None,
) -> list[Candidate]:
    """The files themselves, those that would be taken first, in the order in which they would be."""
    tail = (
        "SELECT load_run_file_id, load_run_id, extract_type, s3_key, why, cause, told, received, failed_at,"
        " extracted_at, tries, code FROM classified WHERE code = '' OR NOT %(only_taken)s"
        " ORDER BY code <> '', place LIMIT %(limit)s"
    )
    query, values = _query(registry, wanted, held, tail)
    with connection.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(query, {**values, "limit": limit, "only_taken": only_taken}).fetchall()


def _ages(
    connection: psycopg.Connection, registry: Registry, wanted: Filter, held: Iterable[UUID]
) -> list[tuple[str, int]]:
    cases = " ".join(
        f"WHEN age < interval '{int(step.total_seconds())} s' THEN '{label}'" for label, step in _AGE_STEPS
    )
    tail = f"SELECT CASE {cases} ELSE '{OLDEST}' END, count(*) FROM classified GROUP BY 1"  # noqa: S608  constants
    found = dict(_ask(connection, registry, wanted, held, tail))
    return [(label, found.get(label, 0)) for label in (*(label for label, _step in _AGE_STEPS), OLDEST)]


def _ask(
    connection: psycopg.Connection, registry: Registry, wanted: Filter, held: Iterable[UUID], tail: str
) -> list[Any]:
    return connection.execute(*_query(registry, wanted, held, tail)).fetchall()


def _query(registry: Registry, wanted: Filter, held: Iterable[UUID], tail: str) -> tuple[sql.Composed, dict[str, Any]]:
    query = sql.SQL(_CLASSIFIED).format(
        failed=sql.SQL(_FAILED),
        rejects=sql.SQL(_REJECTS),
        age=sql.Identifier(AGES[wanted.age_of]),
        tail=sql.SQL(tail),
    )
    return query, {
        "why": wanted.why,
        "extract": wanted.extract,
        "cause": wanted.cause,
        "extracts": [extract.name for extract in registry.extracts],
        "held": list(held),
        "silent": SILENT_FOR,
        "watched": WATCHED_FOR_REJECTS,
        "rejected": MOST_REJECTED,
        "most_tries": MOST_TRIES,
        "wait": FIRST_WAIT,
        "older": wanted.older_than,
        "newer": wanted.newer_than,
        "most": wanted.most,
    }


def note_failed_try(connection: psycopg.Connection, job_id: UUID, load_run_file_id: int, reason: str) -> None:
    """Keep that a job could not read this file again: after some such tries it is quarantined."""
    connection.execute(
        "INSERT INTO restage.failed_tries (load_run_file_id, job_id, reason) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [load_run_file_id, job_id, reason],
    )


def release(connection: psycopg.Connection, files: Iterable[int]) -> int:
    """Forget the failed tries of these files, so that discovery takes them again; how many files had any."""
    released = connection.execute(
        "UPDATE restage.failed_tries SET released_at = now() WHERE load_run_file_id = ANY(%s) AND released_at IS NULL"
        " RETURNING load_run_file_id",
        [list(files)],
    ).fetchall()
    return len({file for (file,) in released})
