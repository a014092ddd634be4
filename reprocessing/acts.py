"""What people do beside asking for a job; each act needs its right."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from access import rights
from audit.transitions import record
from reprocessing import bookmarks
from warehouse import discovery, downstream, redelivery, registry
from warehouse.connections import connect
from warehouse.redelivery import Compared
from warehouse.registry import Extract


def release(url: str, files: Sequence[int], *, reason: str, actor: User) -> int:
    """Let discovery take these files again though they kept failing; how many were held back.

    Raises PermissionDenied.
    """
    rights.demand(actor, rights.RELEASE)
    with connect(url, purpose="release") as connection, transaction.atomic():
        record(actor, "files released", actor, {"files": list(files), "reason": reason})
        bookmarks.outdate_discovery(timezone.now())
        return discovery.release(connection, files)


def compare_sources(url: str, extract: str, *, actor: User, seconds: float) -> Compared:
    """Compare files at the source with what was loaded, for as long as a page can wait. Raises PermissionDenied."""
    rights.demand(actor, rights.REPROCESS)
    with connect(url, purpose="compare sources") as connection:
        return redelivery.compare(connection, registry.current(), extract=extract, seconds=seconds)


def note_export(extracts: Sequence[Extract], *, actor: User) -> None:
    """Write in the trail that the stale keys of these extracts leave in clear. Raises PermissionDenied."""
    rights.demand(actor, rights.EXPORT_KEYS)
    record(actor, "natural keys exported", actor, {"extracts": [extract.name for extract in extracts]})


def say_merged(url: str, extract: Extract, *, seen: datetime, reason: str, actor: User) -> int:
    """Take the changes that were stale at `seen` from the list: core holds them. How many. Raises PermissionDenied."""
    rights.demand(actor, rights.REMERGE)
    with connect(url, purpose="downstream") as connection, transaction.atomic():
        changes = downstream.dealt_with(connection, extract, seen=seen)
        record(actor, "core said up to date", actor, {"extract": extract.name, "changes": changes, "reason": reason})
        return changes
