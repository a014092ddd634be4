"""The recovery ladder of a load run or a table: each rung, whether it holds, what it gives back, until when, how fast.

Every count is asked of the warehouse as the page is made. What a rung does is asked for elsewhere: rollback, restore,
recovery. A duration is one that was measured: of the newest drill or use of the rung (warehouse/proofs.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from django.urls import reverse
from django.utils import timezone

from access import rights
from archives import moments
from jobs.models import Job
from warehouse import proofs, rung_sources, rungs
from warehouse.amounts import things
from warehouse.archiving import SAFETY
from warehouse.proofs import Proof
from warehouse.registry import Registry
from warehouse.rung_sources import Image, Replaced, Scope, SetPart

MOST = 10  # sources of a rung that are looked at one by one, the newest first
TITLES = {
    proofs.BEFORE_IMAGE: "Before-image",
    proofs.ARCHIVE: "Archive set, hot",
    proofs.COLD: "Archive set, cold",
    proofs.RAW: "Superseded raw",
    proofs.POINT_IN_TIME: "Point-in-time copy",
}


@dataclass(frozen=True)
class Action:
    """What a rung leads to, for whoever has the right."""

    words: str
    url: str
    right: str


@dataclass(frozen=True)
class Source:
    """One thing that a rung gives rows back from: a job, a set, a moment. `tables`: rows that come back; `until` None:
    for as long as it is there; `url`: its page ("": it has none)."""

    what: str
    url: str
    at: datetime | None
    can: bool
    told: str
    tables: Mapping[str, int] = field(default_factory=dict)
    until: datetime | None = None
    action: Action | None = None

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


@dataclass(frozen=True)
class Rung:
    """`tables`: rows that it could give back, each counted once; `rows` None: only a dry run counts them. `proved`:
    when it last held; `failed`: the newest proof, where that did not hold."""

    name: str
    can: bool
    told: str
    tables: Mapping[str, int] = field(default_factory=dict)
    rows: int | None = 0
    until: datetime | None = None
    sources: list[Source] = field(default_factory=list)
    proved: Proof | None = None
    failed: Proof | None = None

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def action(self) -> Action | None:
        """That of the newest source that can."""
        return next((source.action for source in self.sources if source.can and source.action), None)

    def as_json(self) -> dict[str, Any]:
        return {
            "rung": self.name,
            "can": self.can,
            "told": self.told,
            "rows": self.rows,
            "tables": dict(self.tables),
            "until": self.until,
            "action": self.action.url if self.action else None,
            "proved": self.proved.as_json() if self.proved else None,
            "failed": self.failed.as_json() if self.failed else None,
            "sources": [
                {
                    "what": source.what,
                    "can": source.can,
                    "told": source.told,
                    "tables": dict(source.tables),
                    "until": source.until,
                    "action": source.action.url if source.action else None,
                }
                for source in self.sources
            ],
        }


def of(connection: psycopg.Connection, registry: Registry, scope: Scope, now: datetime) -> list[Rung]:
    """The rungs in the order in which they are tried."""
    made = [
        _before_images(connection, registry, scope),
        *_archives(connection, scope, now),
        _raw(connection, registry, scope),
        _moments(connection, scope, now),
    ]
    return [_with_proof(connection, rung) for rung in made]


def _with_proof(connection: psycopg.Connection, rung: Rung) -> Rung:
    last = proofs.last(connection, rung.name)
    failed = last if last and not last.holds else None
    return replace(rung, proved=proofs.last_held(connection, rung.name), failed=failed)


def _sum(tables: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for table, rows in tables:
        found[table] += rows
    return dict(sorted(found.items()))


def _until(sources: Iterable[Source]) -> datetime | None:
    """When the last of those that can goes; None where one stays."""
    ends = [source.until for source in sources if source.can]
    known = [end for end in ends if end]
    return max(known) if known and len(known) == len(ends) else None


def _before_images(connection: psycopg.Connection, registry: Registry, scope: Scope) -> Rung:
    images = rung_sources.images(connection, scope)
    kept = [image for image in images if image.purged_at is None]
    grouped = [(job, list(found)) for job, found in groupby(images, key=lambda image: image.job_id)][:MOST]
    jobs = Job.objects.in_bulk([job for job, _images in grouped])
    sources = [_image(connection, registry, job, jobs.get(job), found) for job, found in grouped]
    tables = _sum((image.table_name, image.back) for image in kept)
    if not images:
        told = "No job has replaced rows of it."
    elif not kept:
        told = f"{things(len(images), 'before-image was', 'before-images were')} kept and purged since."
    else:
        told = f"{things(len({i.job_id for i in kept}), 'job keeps its', 'jobs keep their')} replaced rows."
        if not any(source.can for source in sources):
            told += " No rollback is possible now: the rows can be read only."
    can = any(source.can for source in sources)
    return Rung(proofs.BEFORE_IMAGE, can, told, tables, sum(tables.values()), _until(sources), sources)


def _image(
    connection: psycopg.Connection, registry: Registry, job_id: UUID, job: Job | None, images: list[Image]
) -> Source:
    kept = [image for image in images if image.purged_at is None]
    gone = [image for image in images if image.purged_at]
    until = min((image.expires_at for image in kept), default=None)
    can, told = False, ""
    if gone:
        whys = sorted({image.why for image in gone if image.why})
        told = "Purged: " + ", ".join(f"stg.{i.table_name} on {i.purged_at:%Y-%m-%d}" for i in gone)
        told += f", as {' and '.join(whys)}." if whys else "."
    elif job is None:
        told = "The console does not know its job."
    elif job.state not in Job.PUBLISHED:
        told = f"Its job is {job.state}."
    elif not rungs.of_job(connection, registry, job_id).exact:
        told = "It cannot be rolled back: it replaced no attempt, or their raw records are gone."
    else:
        can, added = True, sum(image.added for image in kept)
        told = f"{things(added, 'row that it added goes', 'rows that it added go')}." if added else ""
    if any(image.held for image in kept):
        told, until = f"{told} On hold: it stays.".strip(), None
    return Source(
        f"job {job_id}",
        reverse("job", args=[job_id]),
        images[0].kept_at,
        can,
        told,
        _sum((image.table_name, image.back) for image in kept),
        until,
        Action("Roll it back", reverse("rollback", args=[job_id]), rights.ROLL_BACK) if can else None,
    )


def _archives(connection: psycopg.Connection, scope: Scope, now: datetime) -> list[Rung]:
    parts, removed = rung_sources.parts(connection, scope), rung_sources.removed_sets(connection, scope)
    hot, cold = [part for part in parts if part.hot], [part for part in parts if part.cold]
    return [
        _sets(proofs.ARCHIVE, hot, removed if not parts else 0, now),
        _sets(proofs.COLD, cold, 0, now),
    ]


def _sets(name: str, parts: list[SetPart], removed: int, now: datetime) -> Rung:
    grouped = [list(found) for _set, found in groupby(parts, key=lambda part: part.set_id)]
    sources = [_set(found, now) for found in grouped[:MOST]]
    newest: dict[tuple[UUID, str], int] = {}
    for part in parts:  # the newest first; of safety sets each holds rows of its own
        newest.setdefault((part.set_id if part.kind == SAFETY else part.load_run_id, part.table_name), part.rows)
    tables = _sum((table, rows) for (_run, table), rows in newest.items())
    if grouped:
        told = f"{things(len(grouped), 'set holds', 'sets hold')} rows of it; counted is the newest of each load run."
    elif removed:
        told = f"{things(removed, 'set was', 'sets were')} kept and removed since."
    else:
        told = "No set holds rows of it." if name == proofs.ARCHIVE else "No set of it is in the cold tier."
    can = any(source.can for source in sources)
    return Rung(name, can, told, tables, sum(tables.values()), _until(sources), sources)


def _set(parts: list[SetPart], now: datetime) -> Source:
    first = parts[0]
    broken = [part.table_name for part in parts if part.sound is False]
    told = f"{first.kind.capitalize()} of load run {first.load_run_id}."
    if broken:
        told = f"Not sound: {', '.join(f'stg.{table}' for table in broken)}. Do not restore from it."
    elif first.held:
        told += " On hold: it stays."
    elif first.expires_at < now:
        told += " Expired: it goes with the next cleanup."
    return Source(
        f"set {first.set_id}",
        reverse("archive_set", args=[first.set_id]),
        first.archived_at,
        not broken,
        told,
        _sum((part.table_name, part.rows) for part in parts),
        None if first.held else first.expires_at,
        None if broken else Action("Restore it", reverse("restore", args=[first.set_id]), rights.RESTORE),
    )


def _raw(connection: psycopg.Connection, registry: Registry, scope: Scope) -> Rung:
    found = rung_sources.replaced(connection, registry, scope)
    counting = rung_sources.counting(connection, registry, scope)
    by_job: dict[UUID | None, list[Replaced]] = {}
    for one in found:
        by_job.setdefault(one.job_id, []).append(one)
    jobs = Job.objects.in_bulk([job for job in by_job if job])
    sources = [
        _superseded(connection, registry, job, jobs.get(job) if job else None, ones)
        for job, ones in list(by_job.items())[:MOST]
    ]
    tables = _sum((one.table_name, one.records) for one in found)
    told = "No attempt of it was replaced while raw holds its records."
    if found:
        told = f"Raw holds the records of {things(len(found), 'replaced attempt', 'replaced attempts')}."
        told += (
            " A rollback folds them anew: the values come back, owners and load times where the before-image has them."
        )
    if counting:
        sources.append(_counting(scope, counting))
        told += f" {sum(counting.values()):,} raw records count now: what staging lost of them can be folded anew."
    can = any(source.can for source in sources)
    return Rung(proofs.RAW, can, told, tables or counting, sum((tables or counting).values()), None, sources)


def _superseded(
    connection: psycopg.Connection, registry: Registry, job_id: UUID | None, job: Job | None, ones: list[Replaced]
) -> Source:
    tables, at = _sum((one.table_name, one.records) for one in ones), ones[0].superseded_at
    if job_id is None or job is None:
        return Source("replaced by no job of this console", "", at, False, "Read it with SQL.", tables)
    url, told = reverse("job", args=[job_id]), ""
    if job.state not in Job.PUBLISHED:
        told = f"Its job is {job.state}."
    elif not rungs.of_job(connection, registry, job_id).possible:
        told = "Not all of the records that it replaced are there."
    action = None if told else Action("Roll it back", reverse("rollback", args=[job_id]), rights.ROLL_BACK)
    return Source(f"replaced by job {job_id}", url, at, not told, told, tables, None, action)


def _counting(scope: Scope, tables: Mapping[str, int]) -> Source:
    """The records that count: where staging has lost rows, a reprocessing from raw makes them again."""
    action = None
    if scope.run:
        path = reverse("reprocess", args=[scope.run])
        action = Action("Fold it anew", f"{path}?{urlencode({'source': 'raw', 'which': 'all'})}", rights.REPROCESS)
    told = "The attempts that count. Folding them anew makes staging what raw says." + (
        "" if action else " Reprocess the load run in question from raw."
    )
    return Source("raw records that count", "", None, bool(tables), told, tables, None, action)


def _moments(connection: psycopg.Connection, scope: Scope, now: datetime) -> Rung:
    reach = moments.reach(connection, now)
    if reach.why:
        return Rung(proofs.POINT_IN_TIME, False, reach.why, {}, None)
    sources = []
    for job_id in rung_sources.jobs_with_effect(connection, scope, MOST):
        found = moments.before_job(connection, job_id)
        if found is None:
            continue
        query = {"before_job": str(job_id), "table": scope.table, "run": str(scope.run or "")}
        url = f"{reverse('recover')}?{urlencode({name: value for name, value in query.items() if value})}"
        action = None if found.why else Action("Recover it", url, rights.RESTORE)
        what = f"just before job {job_id}"
        sources.append(
            Source(what, reverse("job", args=[job_id]), found.at, not found.why, found.why, {}, found.until, action)
        )
    seen = rung_sources.witnessed(connection, scope.table, reach.oldest) if scope.table and reach.oldest else None
    told = reach.told + (
        f" stg.{scope.table} had {seen[0]:,} rows on {timezone.localtime(seen[1]):%Y-%m-%d %H:%M}." if seen else ""
    )
    told += " A dry run counts what comes back."
    any_moment = {"table": scope.table, "run": str(scope.run or "")}
    chosen = f"{reverse('recover')}?{urlencode({name: value for name, value in any_moment.items() if value})}"
    sources.append(
        Source(
            "any moment",
            "",
            None,
            True,
            "Choose it in the form.",
            {},
            None,
            Action("Choose a moment", chosen, rights.RESTORE),
        )
    )
    tables = {scope.table: seen[0]} if seen else {}
    return Rung(proofs.POINT_IN_TIME, True, told, tables, seen[0] if seen else None, None, sources)
