"""The catalogue of archives, searched: sets, and the before-images of jobs beside them; what expires, what grows."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

BEFORE_IMAGE = "before-image"
KINDS = ("archive", "safety", "recovered", BEFORE_IMAGE)
TIERS = ("hot", "cold")
SORTS = ("archived_at", "expires_at", "rows", "bytes")


@dataclass(frozen=True)
class Entry:
    """A set, or (`set_id` None) what a job keeps of the rows that it replaced. `sound`: what the last verify of every
    part said; None where one was never verified. `held`: how many holds keep it."""

    set_id: UUID | None
    kind: str
    load_runs: list[UUID]
    reason: str
    job_id: UUID | None
    archived_by: str
    archived_at: datetime
    expires_at: datetime
    removed_at: datetime | None
    tables: list[str]
    rows: int
    loaded: int | None
    bytes: int
    hot: bool
    cold: bool
    verified_at: datetime | None
    sound: bool | None
    held: int
    used: int


@dataclass(frozen=True)
class Wanted:
    """What to search for; what is not given does not narrow. `expires_by`: on this moment or before; `held`: on hold
    ("yes") or not ("no"); `verified`: "never", "sound" or "broken"; `there`: "yes", "no" (removed) or "" (both)."""

    run: UUID | None = None
    table: str = ""
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""
    kind: str = ""
    tier: str = ""
    expires_by: datetime | None = None
    held: str = ""
    verified: str = ""
    least_bytes: int | None = None
    there: str = "yes"
    sets: list[UUID] | None = None
    sort: str = "archived_at"
    descending: bool = True


@dataclass(frozen=True)
class Sums:
    entries: int
    rows: int
    bytes: int


def search(connection: psycopg.Connection, wanted: Wanted, *, first: int = 0, most: int | None = None) -> list[Entry]:
    """What fits every given filter, in the order asked for; entries `first` to `first + most`."""
    where, values = _where(wanted)
    order = wanted.sort if wanted.sort in SORTS else SORTS[0]
    query = sql.SQL(
        "SELECT {names} FROM ({entries}) e WHERE {where} ORDER BY {order} {way}, archived_at DESC, set_id, job_id"
        " LIMIT %(most)s OFFSET %(first)s"
    ).format(
        names=sql.SQL(", ").join(sql.Identifier(field.name) for field in fields(Entry)),
        entries=sql.SQL(_ENTRIES),
        where=where,
        order=sql.Identifier(order),
        way=sql.SQL("DESC" if wanted.descending else "ASC"),
    )
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(query, {**values, "most": most, "first": first}).fetchall()


def sums(connection: psycopg.Connection, wanted: Wanted) -> Sums:
    """Of all that fits, whatever page is shown."""
    where, values = _where(wanted)
    query = sql.SQL(
        "SELECT count(*), coalesce(sum(rows), 0)::bigint, coalesce(sum(bytes), 0)::bigint FROM ({}) e WHERE {}"
    ).format(sql.SQL(_ENTRIES), where)
    found = connection.execute(query, values).fetchone()
    return Sums(*(found or (0, 0, 0)))


def of_run(connection: psycopg.Connection, load_run_id: UUID) -> list[Entry]:
    """What is kept of a load run, the newest first."""
    return search(connection, Wanted(run=load_run_id))


def of_sets(connection: psycopg.Connection, sets: list[UUID]) -> list[Entry]:
    """These sets, the newest first."""
    return search(connection, Wanted(sets=sets, there=""))


def expiring(connection: psycopg.Connection, now: datetime, days: Sequence[int] = (7, 30)) -> dict[int, Sums]:
    """Days → what cleanup may remove until then; what is on hold is not counted."""
    return {number: sums(connection, Wanted(expires_by=now + timedelta(days=number), held="no")) for number in days}


@dataclass(frozen=True)
class Month:
    """What was archived in a month (UTC) and is there: parts, rows, bytes."""

    start: datetime
    parts: int
    rows: int
    bytes: int


def growth(connection: psycopg.Connection) -> list[Month]:
    """The newest twelve months in which anything was archived that is there, the newest first."""
    with connection.cursor(row_factory=class_row(Month)) as cursor:
        return cursor.execute(
            "SELECT date_trunc('month', p.archived_at, 'UTC') AS start, count(*) AS parts,"
            " sum(p.rows)::bigint AS rows, sum(p.bytes)::bigint AS bytes"
            " FROM restage.archive_parts p JOIN restage.archive_sets s USING (set_id) WHERE s.removed_at IS NULL"
            " GROUP BY 1 ORDER BY 1 DESC LIMIT 12"
        ).fetchall()


def _where(wanted: Wanted) -> tuple[sql.SQL, dict[str, Any]]:
    said = [clause for name, clause in _CLAUSES.items() if getattr(wanted, name) not in (None, "")]
    said += [_CHOICES[name, choice] for name, choice in _chosen(wanted) if (name, choice) in _CHOICES]
    values = {field.name: getattr(wanted, field.name) for field in fields(Wanted)}
    values["like"] = "%" + wanted.reason.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    return sql.SQL(" AND ".join(said) or "true"), values


def _chosen(wanted: Wanted) -> list[tuple[str, str]]:
    return [(name, getattr(wanted, name)) for name in ("tier", "held", "verified", "there")]


_CLAUSES = {
    "run": "%(run)s = ANY(load_runs)",
    "table": "%(table)s = ANY(tables)",
    "since": "archived_at >= %(since)s",
    "until": "archived_at < %(until)s",
    "reason": "reason ILIKE %(like)s",
    "kind": "kind = %(kind)s",
    "expires_by": "expires_at <= %(expires_by)s",
    "sets": "set_id = ANY(%(sets)s)",
    "least_bytes": "bytes >= %(least_bytes)s",
}
_CHOICES = {
    ("tier", "hot"): "hot",
    ("tier", "cold"): "cold",
    ("held", "yes"): "held > 0",
    ("held", "no"): "held = 0",
    ("verified", "never"): "verified_at IS NULL",
    ("verified", "sound"): "sound",
    ("verified", "broken"): "NOT sound",
    ("there", "yes"): "removed_at IS NULL",
    ("there", "no"): "removed_at IS NOT NULL",
}
_ENTRIES = """
SELECT s.set_id, s.kind, ARRAY[s.load_run_id] AS load_runs, s.reason, s.job_id, s.archived_by, s.archived_at,
    s.expires_at, s.removed_at, p.tables, p.rows, p.loaded, p.bytes, p.hot, p.cold, p.verified_at, p.sound,
    (SELECT count(*) FROM restage.archive_holds h WHERE h.set_id = s.set_id AND h.released_at IS NULL) AS held,
    (SELECT count(*) FROM restage.archive_uses u WHERE u.set_id = s.set_id) AS used
FROM restage.archive_sets s CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(table_name ORDER BY table_name), '{}') AS tables, coalesce(sum(rows), 0)::bigint AS rows,
        CASE WHEN count(*) = count(loaded) THEN sum(loaded)::bigint END AS loaded,
        coalesce(sum(bytes), 0)::bigint AS bytes, coalesce(bool_or(hot), false) AS hot,
        coalesce(bool_or(cold IS NOT NULL), false) AS cold,
        CASE WHEN count(*) = count(verified_at) THEN min(verified_at) END AS verified_at,
        CASE WHEN count(*) = count(verified_at) THEN bool_and(coalesce((verified #>> '{hot,holds}')::boolean, true)
            AND coalesce((verified #>> '{cold,holds}')::boolean, true)) END AS sound
    FROM restage.archive_parts WHERE set_id = s.set_id) p
UNION ALL
SELECT NULL, 'before-image', (SELECT coalesce(array_agg(DISTINCT parent_load_run_id), '{}') FROM restage.run_parents r
        WHERE r.job_id = b.job_id), 'What the job replaced', b.job_id, 'Restage', min(b.kept_at), min(b.expires_at),
    CASE WHEN bool_and(b.purged_at IS NOT NULL) THEN max(b.purged_at) END, array_agg(b.table_name ORDER BY 1),
    sum(b.rows)::bigint, NULL, sum(b.bytes)::bigint, true, false, NULL, NULL,
    (SELECT count(*) FROM restage.image_holds h WHERE h.job_id = b.job_id AND h.released_at IS NULL), 0
FROM restage.before_image_sets b WHERE b.rows > 0 GROUP BY b.job_id
"""
