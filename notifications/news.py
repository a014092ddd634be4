"""Which events of the trail are told to somebody, and as what. A room registers the actions that it can tell."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from audit.models import Event
from notifications.models import Occurrence


@dataclass(frozen=True)
class News:
    """One event as it is told: ids, counts and a link, never a value of a row.

    `key`: news with the same is told together, as `many` ("{count} jobs failed") with a link to `all_path`.
    `lines` may be read by anybody in a shared channel, `letter` (it may hold the reasons of people) only by the person
    whom it is sent to. `concerned`: ids of the persons whom it is about; `barred`: who is not told in person;
    `deciders_only`: nor is anybody who is not concerned. `inbox_only`: it is about the channels themselves.
    """

    topic: str
    key: str
    title: str
    many: str
    path: str
    all_path: str
    state: str = "neutral"
    lines: tuple[str, ...] = ()
    letter: tuple[str, ...] = ()
    concerned: frozenset[int] = field(default=frozenset())
    barred: frozenset[int] = field(default=frozenset())
    deciders_only: bool = False
    inbox_only: bool = False

    def content(self) -> dict[str, Any]:
        """What a message keeps of it."""
        said = asdict(self)
        return {name: said[name] for name in ("title", "many", "path", "all_path", "state", "lines", "letter")}


@dataclass(frozen=True)
class Source:
    """`actions` of the trail, and `tell`: the news of such events, for some of them none. `wants`: a look at an event
    alone, without asking the database, whether it may be one to tell."""

    actions: frozenset[str]
    tell: Callable[[Sequence[Event]], list[News]]
    wants: Callable[[Event], bool] = lambda event: True


_sources: list[Source] = []


def register(source: Source) -> None:
    if source not in _sources:
        _sources.append(source)


def note(event: Event) -> None:
    """The listener of the trail: keep the event to be told, in its own transaction."""
    if event.result == Event.Result.DONE and any(event.action in s.actions and s.wants(event) for s in _sources):
        Occurrence.objects.create(event=event)


def news_of(events: Sequence[Event]) -> list[News]:
    """What is told of these events."""
    found: list[News] = []
    for source in _sources:
        if mine := [event for event in events if event.action in source.actions]:
            found += source.tell(mine)
    return found
