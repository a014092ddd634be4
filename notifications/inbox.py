"""A person's inbox: how much is unread, and marking it as read. Only their own."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet

from notifications.models import Entry


def of(person: User) -> QuerySet[Entry]:
    return Entry.objects.filter(person=person)


def unread(person: User) -> int:
    return of(person).filter(read_at=None).count()


def read(person: User, pk: int, now: datetime) -> Entry | None:
    """Mark an entry as read and give it; None: it is not theirs."""
    of(person).filter(pk=pk, read_at=None).update(read_at=now)
    return of(person).filter(pk=pk).first()


def read_all(person: User, now: datetime, *, up_to: int) -> int:
    """Mark as read what the person has seen: up to the entry with this id."""
    return of(person).filter(read_at=None, pk__lte=up_to).update(read_at=now)
