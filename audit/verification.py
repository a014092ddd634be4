"""Finds out whether anything of the sealed trail was changed, with the key and the heads that lie elsewhere.

It trusts nothing that the database says of itself: an event must have its leaf, a seal its head, a head the one that
was sent away when it was made. What was written in the last seconds is not sealed yet and only counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from audit import database, heads, leaves, sealing
from audit.heads import Head
from audit.models import Event, Seal

SEALED_WITHIN = timedelta(minutes=10)  # a worker seals every few seconds
LONGEST_TRANSACTION = timedelta(hours=6)  # an event is not written longer ago than this before it is sealed
EDITED, DELETED, INSERTED, REORDERED = "edited", "deleted", "inserted", "reordered"
TRUNCATED, CUT, REWRITTEN, PLACE = "truncated", "cut", "rewritten", "place"


@dataclass(frozen=True)
class Finding:
    """`event`: the first one that is concerned (None: no event is)."""

    kind: str
    event: int | None
    told: str


@dataclass(frozen=True)
class Verdict:
    """`events`: sealed ones that were looked at; `unsealed`: those that are too new."""

    findings: list[Finding]
    events: int
    seals: int
    unsealed: int
    head: str

    @property
    def whole(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "whole": self.whole}


def verify(*, now: datetime | None = None) -> Verdict:
    """Look at every event, every seal and every place; the findings in the order of their events."""
    key, now = settings.AUDIT_KEY.encode(), now or timezone.now()
    seals = list(Seal.objects.order_by("number"))
    findings = [*_chain(key, seals), *_places(seals)]
    if seals and not Event.objects.filter(pk__lte=max(seal.ranges[-1][1] for seal in seals)).exists():
        findings.append(Finding(TRUNCATED, seals[0].ranges[0][0], "No sealed event is left: the trail was emptied."))
    else:
        for former, seal in zip([None, *seals], seals, strict=False):
            findings += _members(key, seal, former)
    findings += _not_sealed(seals, now)
    return Verdict(
        sorted(findings, key=lambda found: (found.event is None, found.event)),
        events=sum(seal.events for seal in seals),
        seals=len(seals),
        unsealed=_outside(seals).count(),
        head=seals[-1].head if seals else "",
    )


def _chain(key: bytes, seals: Sequence[Seal]) -> Iterator[Finding]:
    former, number = "", 0
    for seal in seals:
        first = seal.ranges[0][0]
        if seal.number != number + 1:
            yield Finding(CUT, first, f"Seal {number + 1} is gone: the events between it and seal {seal.number}.")
        elif seal.former != former:
            yield Finding(REWRITTEN, first, f"Seal {seal.number} does not follow the one before it.")
        if seal.head != sealing.head_of(key, seal):
            yield Finding(REWRITTEN, first, f"Seal {seal.number} was not made with this key, or was changed.")
        former, number = seal.head, seal.number


def _places(seals: Sequence[Seal]) -> Iterator[Finding]:
    """What was sent away is what is here; what is here was sent away."""
    known = {seal.number: seal for seal in seals}
    for place in settings.AUDIT_HEADS:
        try:
            sent = heads.read(place)
        except (OSError, ValueError, TypeError) as error:
            yield Finding(PLACE, None, f"The heads in {place} cannot be read ({type(error).__name__}).")
            continue
        yield from _compared(place, sent, known)
        if seals and len(sent) < len(seals) and timezone.now() - seals[-1].at > SEALED_WITHIN:
            yield Finding(PLACE, None, f"{place} holds {len(sent)} of {len(seals)} heads.")


def _compared(place: str, sent: Sequence[Head], known: dict[int, Seal]) -> Iterator[Finding]:
    for one in sent:
        here = known.get(one.number)
        if here is None:
            told = f"Seal {one.number} is gone; {place} knows that it was made {one.at}. Its events were cut off."
            yield Finding(CUT, one.ranges[0][0], told)
            return
        if here.head != one.head:
            told = f"Seal {one.number} is not the one that {place} was told of: the trail was rewritten from here on."
            yield Finding(REWRITTEN, one.ranges[0][0], told)
            return


def _members(key: bytes, seal: Seal, former: Seal | None) -> Iterator[Finding]:
    """Each event of a seal is there and says what it said."""
    ids, held = leaves.ids_of(seal.ranges), bytes(seal.leaves)
    found = Event.objects.filter(pk__gte=ids[0], pk__lte=ids[-1]).in_bulk()
    kept = {number: held[place : place + leaves.SIZE] for number, place in _placed(ids)}
    wrong = {n: e for n, e in found.items() if n in kept and leaves.leaf(key, e) != kept[n]}
    for number in ids:
        if number not in found:
            yield Finding(DELETED, number, f"Event {number} of seal {seal.number} is gone.")
        elif number in wrong:
            moved = next((n for n, e in wrong.items() if leaves.leaf(key, e, number=number) == kept[number]), None)
            told = f"what event {number} said stands at {moved}" if moved else "it does not say what it said"
            yield Finding(REORDERED if moved else EDITED, number, f"Event {number} of seal {seal.number}: {told}.")
        elif former and found[number].at < former.at - LONGEST_TRANSACTION:
            told = f"Event {number} says it is of {found[number].at:%Y-%m-%d %H:%M %Z}, and was sealed only later."
            yield Finding(INSERTED, number, told)


def _placed(ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((number, place * leaves.SIZE) for place, number in enumerate(ids))


def _outside(seals: Sequence[Seal]) -> Any:
    """The events that no seal holds."""
    found = Event.objects.all()
    sealed = _joined([pair for seal in seals for pair in seal.ranges])
    for first, last in sealed:
        found = found.exclude(pk__gte=first, pk__lte=last)
    return found


def _joined(ranges: leaves.Ranges) -> leaves.Ranges:
    joined: leaves.Ranges = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] + 1 >= first:
            joined[-1][1] = max(joined[-1][1], last)
        else:
            joined.append([first, last])
    return joined


def _not_sealed(seals: Sequence[Seal], now: datetime) -> Iterator[Finding]:
    """An event that no seal holds is a new one, or was put in afterwards.

    One of a transaction that began after the oldest open one, of any database of the server, waits for that one.
    """
    if not seals:
        return
    below, horizon = seals[-1].below, database.horizon()
    for event in _outside(seals).order_by("id").iterator():
        if event.tx is None or event.tx < below or event.tx >= horizon.coming:
            yield Finding(INSERTED, event.pk, f"Event {event.pk} was put in after its time had been sealed.")
        elif now - event.at > SEALED_WITHIN and event.tx < horizon.open_from:
            yield Finding(
                INSERTED, event.pk, f"Event {event.pk} is of {event.at:%Y-%m-%d %H:%M %Z} and was never sealed."
            )
