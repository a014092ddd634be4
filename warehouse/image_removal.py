"""Removes before-images: those that have expired, then the oldest ones beyond the budget. Never what must stay.

What stays: the image of a job that somebody needs (`needed`), one on hold, and one that is the only way back of a job
that counts still (is_only_way()). The set stays listed with the time of its purge, and restage.effects tells why.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse import before_images, image_holds, journal, rungs, single
from warehouse.before_images import ImageSet
from warehouse.registry import Registry
from warehouse.reprocess import PUBLISH

BUDGET = round(float(os.environ.get("RESTAGE_BEFORE_IMAGE_MB", "10000")) * 1e6)  # bytes, as they are stored
LEAST = timedelta(days=1)  # the budget leaves what is younger
EXPIRED, BEYOND = "it had expired", "it was the oldest beyond the budget"


@dataclass(frozen=True)
class Removed:
    image: ImageSet
    why: str


@dataclass(frozen=True)
class Account:
    """What is there: of how many jobs, keys and bytes; what of it a hold keeps."""

    jobs: int
    keys: int
    bytes: int
    held_bytes: int
    budget: int

    @property
    def beyond(self) -> bool:
        return self.bytes > self.budget


def account(connection: psycopg.Connection) -> Account:
    jobs, keys, size, held = single.row(
        connection,
        "SELECT count(DISTINCT job_id), coalesce(sum(rows), 0)::bigint, coalesce(sum(bytes), 0)::bigint,"
        " coalesce(sum(bytes) FILTER (WHERE EXISTS (SELECT FROM restage.image_holds h WHERE h.job_id = s.job_id"
        " AND h.released_at IS NULL)), 0)::bigint FROM restage.before_image_sets s WHERE purged_at IS NULL"
        " AND rows > 0",
    )
    return Account(jobs, keys, size, held, BUDGET)


def purge(
    connection: psycopg.Connection,
    registry: Registry,
    *,
    now: datetime,
    needed: Collection[UUID] = (),
    budget: int | None = None,
    actor: str = "Restage",
) -> list[Removed]:
    """Remove what has expired and what is beyond the budget (None: BUDGET); what was removed. A transaction a job."""
    before_images.count_uncounted(connection)
    removed = []
    for job in _expired(connection, now, needed):
        removed += _remove(connection, registry, job, now, EXPIRED, actor)
    for job in _beyond(connection, now, needed, BUDGET if budget is None else budget):
        removed += _remove(connection, registry, job, now, BEYOND, actor)
    return removed


def is_only_way(connection: psycopg.Connection, registry: Registry, job_id: UUID) -> bool:
    """Whether the before-image is all that is left of what a job has replaced: the job counts still, the raw records of
    the replaced attempts are gone, and no archive set holds their rows."""
    pairs = (journal.done(connection, job_id, PUBLISH) or {}).get("files", {})
    counts = connection.execute(
        "SELECT FROM etl.load_run_files WHERE load_run_file_id = ANY(%s) AND status <> 'rolled_back'",
        [[int(new) for new in pairs.values()]],
    ).fetchone()
    if counts is None:
        return False
    held = {rung.name: rung.holds for rung in rungs.of_job(connection, registry, job_id).rungs}
    return not held[rungs.RAW] and not held[rungs.ARCHIVE]


def why(connection: psycopg.Connection, job_id: UUID) -> str:
    """Why the before-image of a job was purged ("": it was not, or before anybody noted it)."""
    found = connection.execute(
        "SELECT detail ->> 'why' FROM restage.effects WHERE job_id = %s AND action = 'purge before-image'"
        " ORDER BY effect_id DESC LIMIT 1",
        [job_id],
    ).fetchone()
    return (found[0] if found else "") or ""


def _expired(connection: psycopg.Connection, now: datetime, needed: Collection[UUID]) -> list[UUID]:
    found = connection.execute(
        "SELECT job_id FROM restage.before_image_sets WHERE purged_at IS NULL AND job_id <> ALL(%s)"
        " GROUP BY job_id HAVING max(expires_at) < %s ORDER BY min(expires_at), job_id",
        [list(needed), now],
    ).fetchall()
    return [job for (job,) in found]


def _beyond(connection: psycopg.Connection, now: datetime, needed: Collection[UUID], budget: int) -> Iterator[UUID]:
    """The oldest first, for as long as the rest is more than the budget."""
    oldest = connection.execute(
        "SELECT job_id FROM restage.before_image_sets WHERE purged_at IS NULL AND rows > 0 AND job_id <> ALL(%s)"
        " GROUP BY job_id HAVING max(kept_at) < %s ORDER BY max(kept_at), job_id",
        [list(needed), now - LEAST],
    ).fetchall()
    for (job,) in oldest:
        (there,) = single.row(
            connection, "SELECT coalesce(sum(bytes), 0) FROM restage.before_image_sets WHERE purged_at IS NULL"
        )
        if there <= budget:
            return
        yield job


def _remove(
    connection: psycopg.Connection, registry: Registry, job_id: UUID, now: datetime, because: str, actor: str
) -> list[Removed]:
    """Nothing where it must stay, or where somebody else has it in hands.

    The sets of the replaced load runs are locked against a cleanup: of two ways back that both could go one stays.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(ImageSet)) as cursor:
        found = cursor.execute(
            f"{before_images.SETS} WHERE job_id = %s AND purged_at IS NULL ORDER BY table_name FOR UPDATE SKIP LOCKED",
            [job_id],
        ).fetchall()
        pairs = (journal.done(connection, job_id, PUBLISH) or {}).get("files", {})
        connection.execute(
            "SELECT FROM restage.archive_sets WHERE removed_at IS NULL AND load_run_id IN (SELECT load_run_id"
            " FROM etl.load_run_files WHERE load_run_file_id = ANY(%s)) ORDER BY set_id FOR SHARE",
            [[int(old) for old in pairs]],
        )
        if not found or image_holds.HOLDS.stand(connection, job_id) or is_only_way(connection, registry, job_id):
            return []
        connection.execute("DELETE FROM restage.before_images WHERE job_id = %s", [job_id])
        connection.execute(
            "UPDATE restage.before_image_sets SET purged_at = %s WHERE job_id = %s AND purged_at IS NULL", [now, job_id]
        )
        for image in found:
            detail = {"table": image.table_name, "rows": image.rows, "bytes": image.bytes, "why": because}
            connection.execute(
                "INSERT INTO restage.effects (job_id, action, actor, detail) VALUES (%s, 'purge before-image', %s, %s)",
                [job_id, actor, Jsonb(detail)],
            )
    return [Removed(image, because) for image in found]
