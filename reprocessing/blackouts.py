"""Times of the week in which nothing is reprocessed. They win over schedules and triggers; a person may say why not.

By the wall clock of the window's zone: an hour that comes twice is in it twice. A rollback is not held back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from access import rights
from audit.transitions import record
from jobs.weekly import Weekly, days
from reprocessing.asking_models import Blackout
from reprocessing.slots import zone_of
from warehouse.errors import TellableError


class InBlackoutError(TellableError):
    """A blackout window is in force and nobody said why to go on. Nothing was asked for."""


@dataclass(frozen=True)
class InForce:
    """A window that is open now; `until` in its zone."""

    window: Blackout
    until: datetime

    def __str__(self) -> str:
        return f"Blackout until {self.until:%A %H:%M %Z}: {self.window.reason}"


def now_in_force(now: datetime | None = None) -> InForce | None:
    return in_force(Blackout.objects.all(), now or timezone.now())


def in_force(windows: Iterable[Blackout], moment: datetime) -> InForce | None:
    """The open window that ends last, of those given."""
    found = [(window, end) for window in windows if (end := _end(window, moment))]
    return InForce(*max(found, key=lambda pair: pair[1])) if found else None


def _end(window: Blackout, moment: datetime) -> datetime | None:
    """When the window ends that is open at the moment; None where it is not open."""
    return Weekly(tuple(window.weekdays), window.begins, window.ends, zone_of(window.zone)).end(moment)


def demand(past: str, now: datetime | None = None) -> InForce | None:
    """The window that is gone past for the reason `past`; None where none is open. Raises InBlackoutError."""
    found = now_in_force(now)
    if found and not past.strip():
        raise InBlackoutError(f"{found}. Nothing was asked for; wait until it is over, or say why it cannot wait.")
    return found


def add(window: Blackout, actor: User) -> None:
    """Raises PermissionDenied."""
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    with transaction.atomic():
        window.save(force_insert=True)
        record(actor, "blackout added", window, _told(window))


def remove(window: Blackout, actor: User) -> None:
    """Raises PermissionDenied."""
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    with transaction.atomic():
        record(actor, "blackout removed", window, _told(window))
        window.delete()


def _told(window: Blackout) -> dict[str, str]:
    return {"days": days(window.weekdays), "window": str(window)}
