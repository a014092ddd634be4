"""What lies in the cold store and is no archive: left by writings that died, or by sets that were removed.

A writing in progress looks the same until its manifest is sealed, so nothing counts before its grace is over. Files of
a part whose manifest cannot be trusted are not touched: they may be all that is left of it.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from warehouse import cold_manifest
from warehouse.cold_manifest import ManifestError
from warehouse.cold_sealing import Tier
from warehouse.cold_store import MANIFEST, Item

GRACE = timedelta(hours=float(os.environ.get("RESTAGE_ORPHAN_HOURS", "24")))


@dataclass(frozen=True)
class Orphan:
    """`due`: its grace is over."""

    item: Item
    why: str
    due: bool


@dataclass(frozen=True)
class SealedPart:
    """A part whose manifest lies in the store."""

    set_id: UUID
    table: str


def orphans(connection: psycopg.Connection, tier: Tier, *, now: datetime, grace: timedelta = GRACE) -> list[Orphan]:
    """Every file that no archive needs, by name, a manifest before the files of its part."""
    removed = _removed(connection)
    found = [(item, "left by a writing that did not come to its end") for item in tier.store.listing("aside")]
    for part, items in _parts(tier).items():
        found += _of_part(tier, part, items, removed)
    newest: dict[str, datetime] = {}
    for item, _why in found:
        folder = item.name.rpartition("/")[0]
        newest[folder] = max(newest.get(folder, item.modified), item.modified)
    return [Orphan(item, why, newest[item.name.rpartition("/")[0]] < now - grace) for item, why in found]


def reap(connection: psycopg.Connection, tier: Tier, *, now: datetime, grace: timedelta = GRACE) -> list[Orphan]:
    """Remove the orphans that are due; what was removed."""
    due = [orphan for orphan in orphans(connection, tier, now=now, grace=grace) if orphan.due]
    for orphan in due:
        tier.store.remove(orphan.item.name)
    if due:
        connection.execute(
            "INSERT INTO restage.effects (action, actor, detail) VALUES ('reap orphans', 'Restage',"
            " jsonb_build_object('files', %s::bigint, 'bytes', %s::bigint))",
            [len(due), sum(orphan.item.size for orphan in due)],
        )
    return due


def sealed_parts(tier: Tier) -> list[SealedPart]:
    """Every part that has a manifest in the store, to be trusted or not."""
    return [part for part, items in _parts(tier).items() if any(item.name.endswith(f"/{MANIFEST}") for item in items)]


def _removed(connection: psycopg.Connection) -> set[UUID]:
    found = connection.execute("SELECT set_id FROM restage.archive_sets WHERE removed_at IS NOT NULL")
    return {set_id for (set_id,) in found}


def _parts(tier: Tier) -> dict[SealedPart, list[Item]]:
    found: dict[SealedPart, list[Item]] = defaultdict(list)
    for item in tier.store.listing("sets"):
        _sets, _slash, rest = item.name.partition("/")
        name, _slash, rest = rest.partition("/")
        table, _slash, _rest = rest.partition("/")
        try:
            found[SealedPart(UUID(name), table)].append(item)
        except ValueError:  # not ours
            continue
    return found


def _of_part(tier: Tier, part: SealedPart, items: list[Item], removed: set[UUID]) -> Iterator[tuple[Item, str]]:
    sealed = [item for item in items if item.name.endswith(f"/{part.table}/{MANIFEST}")]
    if part.set_id in removed:
        yield from ((item, "its set was removed") for item in [*sealed, *(i for i in items if i not in sealed)])
        return
    kept = ""
    if sealed:
        try:
            kept = cold_manifest.read(tier.store, part.set_id, part.table, tier.secrets)[0].folder
        except ManifestError:
            return
    for item in items:
        if item not in sealed and not (kept and item.name.startswith(f"{kept}/")):
            yield item, "its writing was never sealed"
