"""Seals the trail, batch by batch, apart from the transactions that write it: a chain in line would make every act
wait for the slowest.

A batch is what was written by transactions below the oldest one still open: nothing can slip in under it later.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction

from audit import database, heads, leaves
from audit.heads import Head
from audit.models import Event, Seal


@dataclass(frozen=True)
class Sealed:
    """`lacking`: place → why it could not be told, for those that could not."""

    seal: Seal | None
    lacking: dict[str, str]


def upkeep(now: datetime) -> None:
    """The reconciler's call. Where another role seals (docs/roles.md), a worker does not try."""
    if database.may_seal():
        seal()


def seal() -> Sealed:
    """Seal what can be sealed and tell every place; None where there was nothing, or another one is at it."""
    made = _seal(settings.AUDIT_KEY.encode())
    return Sealed(made, tell())


def _seal(key: bytes) -> Seal | None:
    with transaction.atomic():
        if not database.alone():
            return None
        open_from = database.horizon().open_from
        last = Seal.objects.order_by("-number").first()
        events = _unsealed(last, below=open_from)
        if not events:
            return None
        made = Seal(
            number=last.number + 1 if last else 1,
            ranges=leaves.ranges_of([event.pk for event in events]),
            events=len(events),
            below=open_from,
            leaves=b"".join(leaves.leaf(key, event) for event in events),
            former=last.head if last else "",
        )
        made.head = head_of(key, made)
        made.save()
        return made


def head_of(key: bytes, seal: Seal) -> str:
    """The head that a seal must have."""
    return leaves.head(
        key,
        number=seal.number,
        former=seal.former,
        below=int(seal.below),
        ranges=seal.ranges,
        leaves=bytes(seal.leaves),
    )


def _unsealed(last: Seal | None, *, below: int) -> list[Event]:
    found = Event.objects.filter(tx__lt=below).order_by("id")
    if last is None:
        return list(found)
    if below < last.below:  # the database has come to another server, whose transactions count anew
        return list(Event.objects.filter(pk__gt=last.ranges[-1][1], tx__lt=below).order_by("id"))
    return list(found.filter(tx__gte=last.below))


def tell() -> dict[str, str]:
    """Send each place the heads that it lacks; place → why it could not be told."""
    lacking = {}
    for place in settings.AUDIT_HEADS:
        try:
            known = heads.read(place)
            missing = Seal.objects.filter(number__gt=known[-1].number if known else 0).order_by("number")
            if wanted := [Head.of(seal) for seal in missing.defer("leaves")]:
                heads.send(place, wanted)
        except (OSError, ValueError) as error:
            lacking[place] = type(error).__name__
    return lacking
