"""People with mail addresses, sinks, and a clock that moves when the test says so."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from approvals import closing
from notifications import channels, dispatch, sending
from notifications.models import Channel, Entry
from tests.notifications import sinks
from tests.notifications.sinks import HttpSink, MailSink


@pytest.fixture
def http(settings) -> Iterator[HttpSink]:
    settings.NOTIFY_HOSTS = frozenset({"127.0.0.1"})
    settings.BASE_URL = "https://restage.example.org"
    with sinks.http() as sink:
        yield sink


@pytest.fixture
def mail(settings, people) -> Iterator[MailSink]:
    settings.NOTIFY_HOSTS = frozenset({"127.0.0.1"})
    settings.BASE_URL = "https://restage.example.org"
    for name, user in people.items():
        user.email = f"{name.replace(' ', '-')}@example.org"
        user.save()
    with sinks.mail() as sink:
        yield sink


@pytest.fixture
def hook(http, people) -> tuple[Channel, str]:
    """A webhook to the sink, and its secret."""
    return channels.add(people["ops"], name="Hook", form="webhook", address=http.url)


@pytest.fixture
def post(mail, people) -> Channel:
    """Mail by the sink."""
    return channels.add(people["ops"], name="Mail", form="email", address=mail.address)[0]


class Clock:
    """Turns of a worker's upkeep, each so long after the one before."""

    def __init__(self) -> None:
        self.now: datetime = timezone.now()

    def turn(self, **later: float) -> int:
        """How many letters were delivered."""
        self.now += timedelta(**later)
        closing.upkeep(self.now)
        dispatch.dispatch(self.now)
        return sending.send_due(self.now, Random(1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


def told_to(user: User) -> list[str]:
    """The titles in a person's inbox, oldest first."""
    return [entry.title for entry in Entry.objects.filter(person=user).order_by("id")]
