"""The ways back from a published job, the most exact first: which of them holds, until when, and what it gives back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg

from warehouse import attempts, before_images, journal
from warehouse.amounts import things
from warehouse.before_images import ImageSet
from warehouse.registry import Registry
from warehouse.reprocess import PUBLISH

BEFORE_IMAGE = "before-image"
ARCHIVE = "archive set"
RAW = "superseded raw"


@dataclass(frozen=True)
class Rung:
    """`gives`: what comes back by it. `told`: how it stands with it now."""

    name: str
    holds: bool
    gives: str
    told: str
    until: datetime | None = None


@dataclass(frozen=True)
class Ladder:
    """`possible`: whether a rollback can be asked for at all; `exact`: whether it gives back more than the values."""

    rungs: list[Rung]
    images: list[ImageSet]
    possible: bool
    exact: bool


def of_job(connection: psycopg.Connection, registry: Registry, job_id: UUID) -> Ladder:
    """The ladder of a job that has published."""
    images = before_images.of_jobs(connection, [job_id])
    pairs = (journal.done(connection, job_id, PUBLISH) or {}).get("files", {})
    raw = _raw(connection, registry, [int(old) for old in pairs])
    image = _image(images, can_be_used=raw.holds)
    archive = _archive(connection, [int(old) for old in pairs])
    return Ladder([image, archive, raw], images, possible=raw.holds, exact=raw.holds and image.holds)


def _image(images: list[ImageSet], *, can_be_used: bool) -> Rung:
    gives = "The rows as they were, with owner, load time and the columns that no file feeds."
    gone = [image for image in images if image.purged_at]
    rows, until = sum(i.rows for i in images), min((i.expires_at for i in images), default=None)
    if not images:
        return Rung(BEFORE_IMAGE, False, gives, "None is listed for this job.")
    if gone:
        days = ", ".join(f"stg.{i.table_name} on {i.purged_at:%Y-%m-%d %Z}" for i in gone)
        return Rung(BEFORE_IMAGE, False, gives, f"Purged: {days}.")
    if not can_be_used:
        return Rung(BEFORE_IMAGE, False, gives, f"{rows:,} rows are kept, to be read only.", until)
    return Rung(BEFORE_IMAGE, True, gives, f"{rows:,} rows are kept.", until)


def _archive(connection: psycopg.Connection, olds: list[int]) -> Rung:
    """The archive sets of the load runs whose files the job replaced; they are restored, not rolled back."""
    gives = "The rows as they were archived, by restoring the set."
    sets, rows, until = connection.execute(
        "SELECT count(DISTINCT s.set_id), coalesce(sum(p.rows), 0)::bigint, min(s.expires_at)"
        " FROM restage.archive_sets s JOIN restage.archive_parts p USING (set_id) WHERE s.removed_at IS NULL"
        " AND s.kind = 'archive' AND s.load_run_id IN"
        " (SELECT load_run_id FROM etl.load_run_files WHERE load_run_file_id = ANY(%s))",
        [olds],
    ).fetchone() or (0, 0, None)
    if not sets:
        return Rung(ARCHIVE, False, gives, "No archive set of the replaced load runs exists.")
    told = f"{things(sets, 'set holds', 'sets hold')} {rows:,} rows of the replaced load runs."
    return Rung(ARCHIVE, True, gives, told, until)


def _raw(connection: psycopg.Connection, registry: Registry, olds: list[int]) -> Rung:
    gives = "The values, made anew from the raw records of the replaced attempts by today's declarations."
    if not olds:
        told = "It folded existing raw records again and replaced no attempt: staging already agrees with raw."
        return Rung(RAW, False, gives, told)
    replaced = attempts.of_ids(connection, olds)
    loaded = [attempt for attempt in replaced if attempt.status == "completed"]
    gone: list[int] = []
    for extract in registry.extracts:
        mine = [a.load_run_file_id for a in loaded if a.extract_type == extract.name]
        gone += attempts.without_raw(connection, extract, mine) if mine else []
    if gone:
        return Rung(RAW, False, gives, f"The raw records of {len(gone):,} of {len(loaded):,} files are gone.")
    records = sum(attempt.rows_read or 0 for attempt in loaded)
    told = f"{records:,} raw records of {len(loaded):,} files are there, for as long as raw keeps them."
    if never := len(replaced) - len(loaded):
        told += f" {never:,} files had never been loaded before: their rows would go."
    return Rung(RAW, True, gives, told)
