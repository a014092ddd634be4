"""What one person has chosen to hear of, and where their mail goes."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction

from audit.transitions import record
from notifications import audience
from notifications.audience import INBOX
from notifications.models import Channel, Choice, Topic


@dataclass(frozen=True)
class Way:
    """A way that a person can choose: the inbox, or a channel that reaches them alone."""

    id: int
    name: str


def ways() -> list[Way]:
    mail = [c for c in Channel.objects.exclude(state=Channel.State.RETIRED) if c.personal]
    return [Way(INBOX, "Inbox"), *(Way(channel.pk, channel.name) for channel in mail)]


def of(person: User) -> Choice:
    """What they have chosen, else what holds for who has not (not saved)."""
    found = Choice.objects.filter(person=person).first()
    channels = Channel.objects.exclude(state=Channel.State.RETIRED)
    return found or Choice(person=person, wanted=audience.defaults(channels))


def save(person: User, *, wanted: dict[str, list[int]], of_others: bool, email: str) -> None:
    """Keep a choice; of what cannot be chosen nothing is kept."""
    possible = {way.id for way in ways()}
    clean = {topic: sorted(possible & set(wanted.get(topic, ()))) for topic in Topic.values}
    with transaction.atomic():
        Choice.objects.update_or_create(person=person, defaults={"wanted": clean, "of_others": of_others})
        changed = person.email != email
        person.email = email
        person.save(update_fields=["email"])
        told = {topic: ways for topic, ways in clean.items() if ways}
        detail = {"wanted": told, "of others": of_others, "mail address changed": changed}
        record(person, "notifications chosen", person, detail)
