"""What the page of recovery shows: how each rung stands, its proofs and how long they took, the base backups."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings

from archives import copies, drills, ladder, moments
from recovery.backups import BaseBackup
from warehouse import proofs, rung_sources
from warehouse.amounts import things
from warehouse.proofs import Proof
from warehouse.rung_sources import Held

SHOWN = 30  # proofs
WIDTH, HEIGHT = 600, 120  # of the drawing of times, in its own units
COUNTED = {
    proofs.BEFORE_IMAGE: "job",
    proofs.ARCHIVE: "set",
    proofs.COLD: "set",
    proofs.RAW: "replaced attempt",
    proofs.POINT_IN_TIME: "base backup",
}


@dataclass(frozen=True)
class Standing:
    """A rung over the whole warehouse. `slow`: it took longer than the goal when it was last proved."""

    name: str
    held: Held
    told: str
    proved: Proof | None
    failed: Proof | None
    slow: bool

    @property
    def title(self) -> str:
        return ladder.TITLES[self.name]


@dataclass(frozen=True)
class Bar:
    """A proof among the times, in units of their drawing."""

    proof: Proof
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Times:
    """Recovery times, the oldest first. `goal_y`: where the line of the goal lies (None: above the drawing)."""

    bars: list[Bar]
    longest: float
    goal_y: float | None
    width: int = WIDTH
    height: int = HEIGHT


def overview(connection: psycopg.Connection, now: datetime) -> dict[str, Any]:
    newest = proofs.newest(connection, SHOWN)
    standing = [_standing(connection, name) for name in ladder.TITLES]
    longest = sorted(found.proved.seconds for found in standing if found.proved)
    return {
        "standing": standing,
        "failed": [found for found in standing if found.failed],
        "overdue": settings.DRILL_DAYS > 0 and drills.is_overdue(connection, now),
        "ever": any(proof.drill for proof in newest),
        "drill_days": settings.DRILL_DAYS,
        "proofs": newest,
        "times": times(newest[::-1], goal().total_seconds()),
        "goal": goal(),
        "worst": longest[-1] if longest else None,
        **window(connection, now),
    }


def goal() -> timedelta:
    """How long a recovery may take."""
    return timedelta(minutes=settings.RECOVERY_GOAL_MINUTES)


def window(connection: psycopg.Connection, now: datetime) -> dict[str, Any]:
    """The moments that can be recovered, and the base backups with how long each is kept."""
    reach = moments.reach(connection, now)
    oldest, newest, loss = copies.window(connection, now)
    folder = copies.own() if not settings.RECOVERY_COMMAND else None
    listed: Sequence[BaseBackup] = folder.listed() if folder else []
    days = timedelta(days=settings.BACKUP_DAYS)
    return {
        "reach": reach,
        "oldest": oldest,
        "newest": newest if listed else None,
        "loss": loss,
        "backups": [{"backup": backup, "until": backup.ended_at + days} for backup in reversed(listed)],
        "wal_bytes": folder.wal_bytes() if folder else 0,
        "takes_backups": folder is not None,
    }


def _standing(connection: psycopg.Connection, name: str) -> Standing:
    held = _held(connection, name)
    proved, last = proofs.last_held(connection, name), proofs.last(connection, name)
    told = things(held.things, COUNTED[name])
    if name == proofs.BEFORE_IMAGE:  # a before-image has keys that were added beside rows that were replaced
        told, held = f"{told}, {held.rows or 0:,} keys", replace(held, rows=None)
    slow = bool(proved and proved.seconds > goal().total_seconds())
    return Standing(name, held, told, proved, last if last and not last.holds else None, slow)


def _held(connection: psycopg.Connection, name: str) -> Held:
    if name == proofs.BEFORE_IMAGE:
        return rung_sources.images_held(connection)
    if name == proofs.RAW:
        return rung_sources.replaced_held(connection)
    if name == proofs.POINT_IN_TIME:
        folder = copies.own()
        listed = folder.listed() if folder and not settings.RECOVERY_COMMAND else []
        ends = listed[0].ended_at + timedelta(days=settings.BACKUP_DAYS) if len(listed) > 1 else None
        return Held(len(listed), None, sum(backup.bytes for backup in listed), ends)
    return rung_sources.sets_held(connection, cold=name == proofs.COLD)


def times(found: Sequence[Proof], goal_seconds: float) -> Times:
    """A bar a proof; the highest is the longest of them, or the goal where that is near."""
    longest = max((proof.seconds for proof in found), default=0.0)
    top = max(longest, goal_seconds if goal_seconds <= 2 * longest else 0.0, 0.001)
    step = WIDTH / max(len(found), 12)
    bars = []
    for place, proof in enumerate(found):
        height = max(3.0, HEIGHT * proof.seconds / top)
        bars.append(
            Bar(proof, round(place * step, 1), round(HEIGHT - height, 1), round(step * 0.7, 1), round(height, 1))
        )
    line = round(HEIGHT * (1 - goal_seconds / top), 1) if goal_seconds <= top else None
    return Times(bars, longest, line)
