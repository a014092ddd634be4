"""Holds that people place on what is kept: their right, their trail, and the hold itself in the warehouse."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit.transitions import record
from jobs.models import Job
from warehouse import archive_holds, image_holds
from warehouse.connections import connect
from warehouse.holds import Holds
from warehouse.models import ArchiveSet


@dataclass(frozen=True)
class Kind:
    """What can be held. `subject`: what the trail says it is about; `detail`: what it says besides."""

    holds: Holds
    subject: Callable[[UUID], ArchiveSet | Job]
    detail: Mapping[str, str] = field(default_factory=dict)


SET = Kind(archive_holds.HOLDS, lambda set_id: ArchiveSet(set_id=set_id))
BEFORE_IMAGE = Kind(image_holds.HOLDS, lambda job_id: Job(pk=job_id), {"of": "before-image"})


def place(url: str, kind: Kind, thing: UUID, *, reason: str, actor: User) -> int:
    """The hold's number. Raises PermissionDenied, NoSuchSetError, RemovedError, NoImageError."""
    rights.demand(actor, rights.HOLD)
    with connect(url, purpose="hold") as connection, transaction.atomic():
        record(actor, "hold placed", kind.subject(thing), {"reason": reason, **kind.detail})
        return kind.holds.place(connection, thing, reason=reason, actor=actor.get_username())


def release(url: str, kind: Kind, thing: UUID, hold_id: int, *, why: str, actor: User) -> None:
    """Raises PermissionDenied, NoSuchSetError, NoSuchHoldError."""
    rights.demand(actor, rights.HOLD)
    with connect(url, purpose="hold") as connection, transaction.atomic():
        record(actor, "hold released", kind.subject(thing), {"hold": hold_id, "reason": why, **kind.detail})
        kind.holds.release(connection, thing, hold_id, why=why, actor=actor.get_username())
