"""Who is told of a piece of news, and by which ways."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User

from access import rights
from notifications.models import Channel, Choice, Route, Topic
from notifications.news import News

INBOX = 0
# What a person hears of who has not chosen: all in the inbox, by mail what waits for them or went wrong.
BY_MAIL = (Topic.REQUESTED, Topic.EXPIRING, Topic.FAILED, Topic.ROLLED_BACK, Topic.ALERT)
QUIET = (Topic.STARTED,)


@dataclass(frozen=True)
class Reader:
    """`wanted`: topic → ids of channels, INBOX among them. `of_others`: also what does not concern them."""

    pk: int
    roles: frozenset[str]
    wanted: dict[str, list[int]]
    of_others: bool
    mail: bool


@dataclass(frozen=True)
class Place:
    """Where a letter goes: a channel (INBOX: the person's inbox), and whom it is for (None: who reads the channel)."""

    channel: int
    person: int | None


class Audience:
    """Everybody who can be told, as they are now."""

    def __init__(self) -> None:
        self._channels = {c.pk: c for c in Channel.objects.exclude(state=Channel.State.RETIRED)}
        self._routes = list(Route.objects.all())
        choices = {choice.person_id: choice for choice in Choice.objects.all()}
        people = User.objects.filter(is_active=True).prefetch_related("groups")
        self._readers = [reader for user in people if (reader := self._reader(user, choices.get(user.pk)))]

    def _reader(self, user: User, choice: Choice | None) -> Reader | None:
        roles = frozenset(group.name for group in user.groups.all()) & rights.ROLES.keys()
        if not any(rights.SEE in rights.ROLES[role] for role in roles):
            return None
        wanted = choice.wanted if choice else defaults(self._channels.values())
        return Reader(user.pk, roles, wanted, bool(choice and choice.of_others), bool(user.email))

    def places(self, news: News) -> Iterator[Place]:
        """Each place once."""
        yield from dict.fromkeys(self._places(news))

    def _places(self, news: News) -> Iterator[Place]:
        routes = [route for route in self._routes if route.topic == news.topic]
        for route in routes:
            channel = self._channels.get(route.channel_id or INBOX)
            if channel and not channel.personal and not news.inbox_only:
                yield Place(channel.pk, None)
        for reader in self._readers:
            if reader.pk not in news.barred and (reader.pk in news.concerned or not news.deciders_only):
                yield from self._ways(reader, news, routes)

    def _ways(self, reader: Reader, news: News, routes: Sequence[Route]) -> Iterator[Place]:
        ways = list(reader.wanted.get(news.topic, ())) if reader.pk in news.concerned or reader.of_others else []
        ways += [route.channel_id or INBOX for route in routes if route.role in reader.roles]
        for way in ways:
            channel = self._channels.get(way)
            if way == INBOX or (channel and channel.personal and reader.mail and not news.inbox_only):
                yield Place(way, reader.pk)


def defaults(channels: Iterable[Channel]) -> dict[str, list[int]]:
    """What somebody hears who has not chosen."""
    mail = [channel.pk for channel in channels if channel.personal]
    return {topic: [INBOX, *(mail if topic in BY_MAIL else [])] for topic in Topic.values if topic not in QUIET}
