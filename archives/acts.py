"""What people do with archive sets beside asking for a job; each act needs its right and is in the trail."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit.transitions import record
from warehouse import (
    archive_default,
    archive_expiry,
    archive_proof,
    archive_retention,
    archive_sets,
    registry,
)
from warehouse.archive_proof import Proof
from warehouse.archive_retention import Rule
from warehouse.connections import connect
from warehouse.models import ArchiveSet

VERIFY_SECONDS = 60  # a page waits no longer


def verify(url: str, set_id: UUID, *, actor: User) -> dict[str, Proof]:
    """Make the hashes of a set's hot rows anew and compare; table → what was found.

    Raises PermissionDenied, NoSuchSetError, and what the warehouse raises when it takes too long.
    """
    rights.demand(actor, rights.ARCHIVE)
    known, found = registry.current(), {}
    with connect(url, purpose="verify archive") as connection:
        archive_sets.of_id(connection, set_id)
        connection.execute(f"SET statement_timeout = '{VERIFY_SECONDS}s'")
        for part in archive_sets.parts(connection, [set_id]):
            if part.hot:
                found[part.table_name] = archive_proof.verify(connection, part, known.of_table(part.table_name))
        sound = all(proof.holds for proof in found.values())
        action = "archive verified" if sound else "archive is damaged"
        record(actor, action, ArchiveSet(set_id=set_id), {"tables": sorted(found), "sound": sound})
    return found


def set_retention(url: str, *, table: str, words: str, days: int, why: str, actor: User, now: datetime) -> int | None:
    """Set for how long such sets will be kept; the days of the rule that it replaces. Sets that are there keep their
    expiry. Raises PermissionDenied, TooShortError."""
    rights.demand(actor, rights.CLEAN_UP)
    rule = Rule(table, words, days, why, actor.get_username(), now)
    with connect(url, purpose="retention") as connection, transaction.atomic():
        former = archive_retention.put(connection, rule)
        detail = {"table": table, "words": words, "days": days, "former": former, "reason": why}
        record(actor, "retention set", actor, detail)
    return former


def drop_retention(url: str, *, table: str, words: str, actor: User) -> bool:
    """Remove a rule; whether there was one. Raises PermissionDenied."""
    rights.demand(actor, rights.CLEAN_UP)
    with connect(url, purpose="retention") as connection, transaction.atomic():
        days = archive_retention.drop(connection, table, words)
        if days is not None:
            record(actor, "retention dropped", actor, {"table": table, "words": words, "days": days})
    return days is not None


def move_stray(url: str, *, actor: User) -> int:
    """Put what lies in default partitions into months of their own; how many rows. Raises PermissionDenied."""
    rights.demand(actor, rights.CLEAN_UP)
    known = registry.current()
    with connect(url, purpose="months of archives") as connection, transaction.atomic():
        tables = {found.table_name for found in archive_default.stray(connection, known)}
        moved = sum(archive_default.move(connection, known.of_table(table)) for table in sorted(tables))
        record(actor, "stray rows moved", actor, {"tables": sorted(tables), "rows": moved})
    return moved


def extend(url: str, set_id: UUID, *, expires_at: datetime, why: str, actor: User) -> None:
    """Keep a set for longer. Raises PermissionDenied, NoSuchSetError, RemovedError, CutError."""
    rights.demand(actor, rights.CLEAN_UP)
    with connect(url, purpose="retention") as connection, transaction.atomic():
        detail = {"expires_at": expires_at.isoformat(), "reason": why}
        record(actor, "expiry extended", ArchiveSet(set_id=set_id), detail)
        archive_expiry.extend(connection, set_id, expires_at=expires_at, why=why, actor=actor.get_username())
