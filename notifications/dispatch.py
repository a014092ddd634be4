"""Makes letters and inbox entries of what has happened: one for each reader, key and window, with the count in it.

In one transaction with the removal of the occurrences: each is told once. Two dispatchers at once work one after the
other, as both lock the oldest occurrence first.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.conf import settings
from django.db import DatabaseError, transaction

from notifications.audience import INBOX, Audience, Place
from notifications.models import Entry, Message, Occurrence, Told, Topic
from notifications.news import News, news_of

BATCH = 1000
NAMED = 5  # of the news in a letter about many that it names; its link leads to all
SOON = (Topic.REQUESTED, Topic.EXPIRING)
log = logging.getLogger(__name__)
T = TypeVar("T", bound=Told)


def window_of(topic: str) -> timedelta:
    """How far apart letters of one key to one reader are; a decision that is waited for is told sooner."""
    minutes = float(settings.NOTIFY_MINUTES)
    return timedelta(minutes=minutes / 3 if topic in SOON else minutes)


def dispatch(now: datetime) -> int:
    """Take in all that has happened; how many occurrences."""
    taken = 0
    while found := _some(now, BATCH):
        taken += found
    return taken


def _some(now: datetime, most: int) -> int:
    try:
        with transaction.atomic():
            return _take(now, most)
    except DatabaseError:
        raise
    except Exception as error:
        if most > 1:
            return _some(now, most // 2)  # to find the one that cannot be told
        log.error("A notification could not be made: %s", type(error).__name__)
        first = Occurrence.objects.filter(stuck=False).order_by("id")[:1]
        return Occurrence.objects.filter(pk__in=first.values("pk")).update(stuck=True)


def _take(now: datetime, most: int) -> int:
    waiting = Occurrence.objects.filter(stuck=False).select_related("event").order_by("id")
    found = list(waiting.select_for_update(of=("self",))[:most])
    if found:
        post(news_of([occurrence.event for occurrence in found]), now)
        Occurrence.objects.filter(pk__in=[occurrence.pk for occurrence in found]).delete()
    return len(found)


def post(news: Sequence[News], now: datetime) -> None:
    """Write the letters and entries of this news."""
    audience, sheaves = Audience(), defaultdict[tuple[Place, str, str], list[News]](list)
    for one in news:
        for place in audience.places(one):
            sheaves[place, one.topic, one.key[:200]].append(one)
    with transaction.atomic():
        for (place, topic, key), told in sheaves.items():
            if place.channel == INBOX:
                _enter(place, topic, key, told, now)
            else:
                _write(place, topic, key, told, now)


def _enter(place: Place, topic: str, key: str, news: Sequence[News], now: datetime) -> None:
    """Add to the unread entry of this window, else make one."""
    unread = Entry.objects.filter(person=place.person, key=key, read_at=None, first_at__gt=now - window_of(topic))
    known = unread.select_for_update().first()
    entry = known or Entry(person_id=place.person or 0, topic=topic, key=key, count=0, first_at=now, items=[])
    entry.at = now
    _add(entry, news).save()


def _write(place: Place, topic: str, key: str, news: Sequence[News], now: datetime) -> None:
    """Add to the letter that has not been tried yet, else make one, a window after the last."""
    letters = Message.objects.filter(channel=place.channel, person=place.person, key=key)
    waiting = letters.select_for_update().filter(state=Message.State.WAITING, sealed=False).first()
    if waiting is None:
        last = letters.order_by("-window_from").values_list("window_from", flat=True).first()
        due = max(now, last + window_of(topic)) if last else now
        waiting = Message(channel_id=place.channel, person_id=place.person, topic=topic, key=key, count=0, items=[],
                          created_at=now, window_from=due, due_at=due)  # fmt: skip
    _add(waiting, news).save()


def _add(told: T, news: Sequence[News]) -> T:
    told.count += len(news)
    told.content = news[-1].content()
    told.items = [*told.items, *({"title": one.title, "path": one.path} for one in news)][-NAMED:]
    return told
