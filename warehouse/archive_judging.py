"""Which archive sets go and which stay, each with its reason: what retention, holds, uses and ways back demand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from warehouse import archive_retention, attempts, journal, rungs
from warehouse.registry import Registry
from warehouse.reprocess import PUBLISH

GOES = "goes"
HELD, USED, LEAST, NOT_EXPIRED, NOT_OLD, NEEDED = (
    *("on hold", "in use", "minimum", "not expired", "not old enough", "way back"),
)


@dataclass(frozen=True)
class Facts:
    """A set that is there, as a judgement needs it."""

    set_id: UUID
    load_run_id: UUID
    kind: str
    job_id: UUID | None
    archived_at: datetime
    expires_at: datetime
    tables: list[str]
    rows: int
    bytes: int
    held: int
    ever_held: int
    used: int
    cold: bool


@dataclass(frozen=True)
class Verdict:
    """`code`: GOES, or why it stays; `why` in words."""

    facts: Facts
    code: str
    why: str

    @property
    def goes(self) -> bool:
        return self.code == GOES


def judge(
    connection: psycopg.Connection,
    registry: Registry,
    *,
    now: datetime,
    older_than: int | None = None,
    sets: Iterable[UUID] | None = None,
) -> list[Verdict]:
    """Every set that is there, or these of them: whether a cleanup at `now` removes it. The oldest first.

    `older_than`: only what was archived before `now` less so many days.
    """
    found = _facts(connection, sets)
    stay = {facts.set_id: told for facts in found if (told := _stays(facts, now, older_than))}
    needed = _needed(connection, registry, [facts for facts in found if facts.set_id not in stay])
    verdicts = []
    for facts in found:
        if facts.set_id in stay:
            verdicts.append(Verdict(facts, *stay[facts.set_id]))
        elif facts.set_id in needed:
            verdicts.append(Verdict(facts, NEEDED, needed[facts.set_id]))
        else:
            verdicts.append(Verdict(facts, GOES, f"Expired on {facts.expires_at:%Y-%m-%d %Z}."))
    return verdicts


def _stays(facts: Facts, now: datetime, older_than: int | None) -> tuple[str, str] | None:
    """Why a set stays by its own facts; None where these let it go."""
    least = facts.archived_at + timedelta(days=archive_retention.LEAST_DAYS)
    if facts.held:
        return HELD, "A hold is on it."
    if facts.used:
        return USED, "A job reads it."
    if now < least:
        return LEAST, f"Every archive is kept until {least:%Y-%m-%d %Z} at least, this one too."
    if now <= facts.expires_at:
        return NOT_EXPIRED, f"It is kept until {facts.expires_at:%Y-%m-%d %Z}."
    if older_than is not None and facts.archived_at >= now - timedelta(days=older_than):
        return NOT_OLD, f"It was archived {older_than:,} days ago or later."
    return None


def _needed(connection: psycopg.Connection, registry: Registry, found: list[Facts]) -> Mapping[UUID, str]:
    """Those of these sets that are the only way back from what still stands, with that in words."""
    needed = {}
    for facts in found:
        if facts.kind == "safety" and facts.job_id and _pins(connection, facts.job_id):
            needed[facts.set_id] = f"It is the only way back from job {facts.job_id}, whose rows still stand."
        elif (_of_deleted_raw(connection, facts) or _newest(connection, facts)) and (
            job := _lost(connection, registry, facts.load_run_id)
        ):
            needed[facts.set_id] = f"It is the only way back from job {job}: before-image and raw records are gone."
    return needed


def _pins(connection: psycopg.Connection, job_id: UUID) -> bool:
    return connection.execute("SELECT FROM restage.pins WHERE job_id = %s LIMIT 1", [job_id]).fetchone() is not None


def _of_deleted_raw(connection: psycopg.Connection, facts: Facts) -> bool:
    """Whether it was made of rows whose raw records went with it: a later set of the run does not hold these rows."""
    found = connection.execute("SELECT FROM restage.raw_deletions WHERE set_id = %s LIMIT 1", [facts.set_id])
    return found.fetchone() is not None


def _newest(connection: psycopg.Connection, facts: Facts) -> bool:
    """Whether it holds, of any table, the newest copy of the run's rows that is there."""
    found = connection.execute(
        "SELECT FROM restage.archive_parts p WHERE set_id = %s AND rows > 0 AND NOT EXISTS (SELECT"
        " FROM restage.archive_parts n JOIN restage.archive_sets s USING (set_id) WHERE n.table_name = p.table_name"
        " AND n.load_run_id = p.load_run_id AND n.archive_version > p.archive_version AND n.rows >= p.rows"
        " AND s.removed_at IS NULL) LIMIT 1",
        [facts.set_id],
    ).fetchone()
    return found is not None


def _lost(connection: psycopg.Connection, registry: Registry, load_run_id: UUID) -> UUID | None:
    """A job that reprocessed the run, counts still, and can be taken back neither by before-image nor from raw."""
    jobs = connection.execute(
        "SELECT DISTINCT job_id FROM restage.run_parents WHERE parent_load_run_id = %s", [load_run_id]
    ).fetchall()
    for (job,) in jobs:
        files = (journal.done(connection, job, PUBLISH) or {}).get("files", {})
        live = [a for a in attempts.of_ids(connection, [int(new) for new in files.values()]) if not a.superseded_in]
        if any(a.status == "completed" for a in live) and not rungs.of_job(connection, registry, job).possible:
            return UUID(str(job))
    return None


def _facts(connection: psycopg.Connection, sets: Iterable[UUID] | None) -> list[Facts]:
    chosen = None if sets is None else list(sets)
    with connection.cursor(row_factory=class_row(Facts)) as cursor:
        return cursor.execute(
            "SELECT s.set_id, s.load_run_id, s.kind, s.job_id, s.archived_at, s.expires_at,"
            " coalesce(p.tables, '{}') AS tables, coalesce(p.rows, 0)::bigint AS rows,"
            " coalesce(p.bytes, 0)::bigint AS bytes, h.held, h.ever_held,"
            " (SELECT count(*) FROM restage.archive_uses u WHERE u.set_id = s.set_id) AS used,"
            " coalesce(p.cold, false) AS cold FROM restage.archive_sets s"
            " CROSS JOIN LATERAL (SELECT array_agg(table_name ORDER BY table_name) AS tables, sum(rows) AS rows,"
            " sum(bytes) AS bytes, bool_or(cold IS NOT NULL) AS cold"
            " FROM restage.archive_parts WHERE set_id = s.set_id) p"
            " CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE released_at IS NULL) AS held, count(*) AS ever_held"
            " FROM restage.archive_holds WHERE set_id = s.set_id) h"
            " WHERE s.removed_at IS NULL AND (%(chosen)s::uuid[] IS NULL OR s.set_id = ANY(%(chosen)s))"
            " ORDER BY s.archived_at, s.set_id",
            {"chosen": chosen},
        ).fetchall()
