"""Finding events in the trail: filters that page, command and export share, and the story of one object."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from access import days
from audit.models import Event

NUL, YEARS = "\0", range(1900, 3000)
BEGINNING = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F-]*)?")
FILTERS = {
    "person": "who did it, or on whose behalf it was done",
    "action": "what was done; where nothing is called so, the beginning of it",
    "about": "what it was done to: kind:id, an id, or the first eight letters of a long one",
    "result": "done, refused or failed",
    "how": "page, api, command, worker, schedule, trigger, upkeep or warehouse",
    "since": "first day, YYYY-MM-DD",
    "until": "last day, YYYY-MM-DD",
    "request": "the id of one request: what was done together",
}


@dataclass(frozen=True)
class Filter:
    """What is looked for; "" says nothing. `problems`: what of it cannot be understood."""

    person: str = ""
    action: str = ""
    about: str = ""
    result: str = ""
    how: str = ""
    since: str = ""
    until: str = ""
    request: str = ""

    @property
    def problems(self) -> list[str]:
        wrong = [
            f"{name} is {getattr(self, name)!r}: a day is needed, as 2026-11-30, of the years {YEARS[0]} to"
            f" {YEARS[-1]}."
            for name in ("since", "until")
            if getattr(self, name) and _day(getattr(self, name)) is None
        ]
        return [
            *wrong,
            *(f"{name} has a letter that no event has." for name, said in self.given.items() if NUL in said),
        ]

    @property
    def given(self) -> dict[str, str]:
        return {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name)}

    def _about(self) -> Q:
        """kind:id, an id, or as much of a long id as pages show of it."""
        if ":" in self.about:
            return Q(subject=self.about)
        if BEGINNING.fullmatch(self.about):
            return Q(subject__contains=f":{self.about.lower()}")
        return Q(subject__endswith=f":{self.about}")

    def events(self) -> QuerySet[Event]:
        """The events that fit, newest first."""
        found = Event.objects.select_related("actor")
        if self.person:
            found = found.filter(actor_name__iexact=self.person) | found.filter(on_behalf_of__iexact=self.person)
        if self.action:
            known = Event.objects.filter(action=self.action).exists()
            found = found.filter(action=self.action) if known else found.filter(action__istartswith=self.action)
        if self.about:
            found = found.filter(self._about())
        if self.result:
            found = found.filter(result=self.result)
        if self.how:
            found = found.filter(how=self.how)
        if self.request:
            found = found.filter(request_id=self.request)
        return found.filter(days.between("at", _day(self.since), _day(self.until))).order_by("-id")


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in YEARS else None


def story(subjects: list[str]) -> list[Event]:
    """What has happened to these objects, the oldest first."""
    found = Event.objects.filter(subject__in=subjects).select_related("actor").order_by("id")
    return sorted(found, key=lambda event: event.happened)


def actions() -> list[str]:
    """Every action that the trail knows, for a list to choose from."""
    return list(Event.objects.order_by("action").values_list("action", flat=True).distinct())


def people() -> list[str]:
    """Everybody who can have acted."""
    return list(User.objects.order_by("username").values_list("username", flat=True))


def numbered(events: QuerySet[Event], rows: int = 2000) -> Iterator[Event]:
    """The events, read a piece at a time."""
    return events.iterator(chunk_size=rows)
