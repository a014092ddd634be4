"""Times in which nothing is told: planned work on a source, or on everything."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit import database
from audit.transitions import record
from monitoring.alerts.models import Downtime
from warehouse.errors import TellableError


class AddedAlreadyError(TellableError):
    """A downtime of the same extract and time is there. Nothing was added."""


@dataclass(frozen=True)
class Silence:
    """About which extracts nothing is told at a moment; "" among them: about nothing at all."""

    extracts: frozenset[str]

    @classmethod
    def at(cls, now: datetime) -> "Silence":
        found = Downtime.objects.filter(begins__lte=now, ends__gt=now)
        return cls(frozenset(found.values_list("extract", flat=True)))

    def of(self, series: str) -> bool:
        """Whether a series (an extract, or several: each of them) is silent."""
        return "" in self.extracts or all(name in self.extracts for name in series.split(", "))


def add(downtime: Downtime, actor: User) -> None:
    """Raises PermissionDenied, AddedAlreadyError."""
    rights.demand(actor, rights.MANAGE_ALERTS)
    with transaction.atomic():
        database.in_turn("downtimes")
        same = Downtime.objects.filter(extract=downtime.extract, begins=downtime.begins, ends=downtime.ends)
        if same.exists():
            raise AddedAlreadyError("This downtime is there already. Nothing was added.")
        downtime.save(force_insert=True)
        record(actor, "downtime added", downtime, _told(downtime))


def end(downtime: Downtime, actor: User, now: datetime) -> None:
    """End one that goes, or forget one that has not begun; one that is over stays. Raises PermissionDenied."""
    rights.demand(actor, rights.MANAGE_ALERTS)
    with transaction.atomic():
        found = Downtime.objects.select_for_update().filter(pk=downtime.pk, ends__gt=now).first()
        if found is None:
            return
        record(actor, "downtime ended", found, _told(found))
        if found.begins < now:
            Downtime.objects.filter(pk=found.pk).update(ends=now)
        else:
            found.delete()


def _told(downtime: Downtime) -> dict[str, str]:
    return {
        "extract": downtime.extract or "everything",
        "from": downtime.begins.isoformat(),
        "to": downtime.ends.isoformat(),
        "reason": downtime.reason,
    }
