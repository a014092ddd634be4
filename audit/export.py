"""The trail as a file: CSV for a spreadsheet, JSON lines for a program. Taking it out is itself an event."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from access import rights
from audit import spreadsheet, trail
from audit.models import Event
from audit.trail import Filter
from audit.transitions import write

COLUMNS = (
    *("number", "at", "person", "on_behalf_of", "how", "action", "about", "result", "reason"),
    *("detail", "address", "request_id"),
)


@dataclass(frozen=True)
class Format:
    """`lines` gives the file, a piece at a time."""

    content_type: str
    lines: Callable[[Iterable[Event]], Iterator[str]]


def begin(chosen: Filter, *, actor: User, form: str) -> Iterator[Event]:
    """The events to be written out, the oldest first, once the trail says that they leave. Raises PermissionDenied."""
    rights.demand(actor, rights.EXPORT_TRAIL)
    newest = Event.objects.order_by("-id").values_list("pk", flat=True).first() or 0
    write(actor, "trail exported", f"user:{actor.pk}", {"format": form, "filter": chosen.given, "up to": newest})
    return trail.numbered(chosen.events().filter(pk__lte=newest).order_by("id"))


def as_row(event: Event) -> dict[str, Any]:
    said = (
        *(event.pk, event.at.isoformat(), event.actor_name, event.on_behalf_of, event.how, event.action),
        *(event.subject, event.result, event.reason, event.detail, event.address, event.request_id),
    )
    return dict(zip(COLUMNS, said, strict=True))


def _json_lines(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        yield json.dumps(as_row(event)) + "\n"


def _csv(events: Iterable[Event]) -> Iterator[str]:
    yield spreadsheet.line(COLUMNS)
    for event in events:
        row = as_row(event)
        yield spreadsheet.line({**row, "detail": json.dumps(row["detail"])}.values())


FORMATS = {"jsonl": Format("application/x-ndjson", _json_lines), "csv": Format("text/csv; charset=utf-8", _csv)}
