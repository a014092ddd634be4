"""What processes remember and tell each other through the console's database: positions, versions, signs of life."""

import secrets
from datetime import datetime, timedelta

from reprocessing.asking_models import Bookmark
from warehouse.registry import Registry

DISCOVERY = "discovery version"
POSITION = "warehouse position"
WATCHER = "watcher "
FINGERPRINT = "fingerprint of "
ALIVE_FOR = timedelta(seconds=30)


def changed_fingerprints(registry: Registry, now: datetime) -> dict[str, str]:
    """The extracts whose declaration is not the one seen last, with its digest, which is noted as seen. Of a new
    extract nothing is told.

    Call it in a transaction: what is told is told once.
    """
    changed = {}
    for extract in registry.extracts:
        mark, made = Bookmark.objects.select_for_update().get_or_create(
            name=FINGERPRINT + extract.name, defaults={"value": extract.digest, "at": now}
        )
        if not made and mark.value != extract.digest:
            Bookmark.objects.filter(pk=mark.pk).update(value=extract.digest, at=now)
            changed[extract.name] = extract.digest
    return changed


def discovery_version() -> str:
    """Another text after everything that may have changed what discovery finds."""
    found = Bookmark.objects.filter(name=DISCOVERY).values_list("value", flat=True).first()
    return found or "0"


def outdate_discovery(now: datetime) -> None:
    """Make every process look anew at what needs reprocessing."""
    Bookmark.objects.update_or_create(name=DISCOVERY, defaults={"value": secrets.token_hex(8), "at": now})


def alive(name: str, now: datetime) -> None:
    """A watcher's sign of life."""
    Bookmark.objects.update_or_create(name=(WATCHER + name)[:150], defaults={"at": now})
    Bookmark.objects.filter(name__startswith=WATCHER, at__lt=now - timedelta(days=1)).delete()


def last_alive() -> datetime | None:
    """When the last sign of life of any watcher was."""
    return Bookmark.objects.filter(name__startswith=WATCHER).order_by("-at").values_list("at", flat=True).first()
