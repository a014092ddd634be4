"""An event as a sentence, and what the trail keeps about it as pairs."""

import re
from datetime import datetime
from typing import Any

from django.utils import timezone

from audit import circumstances
from audit.models import Event
from audit.sentences import SENTENCES

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(\+00:00|Z)")
HIDDEN = ("reason", "from", "asked", "at", "token", "guess")


def sentence(event: Event) -> str:
    """What was done, to be read after the name of who did it."""
    if event.action.startswith("job ") and event.detail.get("asked"):
        return f"asked to {event.detail['asked']}"
    if event.action.startswith("asked by "):
        return f"carried on what was {event.action}"
    return SENTENCES.get(event.action, event.action)


def way(event: Event) -> str:
    """Through which door it was done: "page"; "API, token nightly"."""
    token = event.detail.get("token")
    return f"{door(event.how)}, token {token}" if token else door(event.how)


def door(how: str) -> str:
    """One of the ways, as it is written within a sentence."""
    return how.upper() if how == circumstances.API else how


def pairs(event: Event) -> list[tuple[str, str]]:
    """What else the trail knows of it: (name, value) for people."""
    return [(name.replace("_", " "), _plain(value)) for name, value in event.detail.items() if name not in HIDDEN]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and MOMENT.fullmatch(value):
        return f"{timezone.localtime(datetime.fromisoformat(value)):%Y-%m-%d %H:%M}"
    return f"{value:,}" if isinstance(value, int) else str(value)
