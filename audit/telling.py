"""An event as a sentence, and what the trail keeps about it as pairs."""

from typing import Any

from audit.models import Event

# action → what follows the name of who did it; {…} are names of its detail
SENTENCES = {
    "job requested": "asked for it",
    "job awaiting approval": "sent it to be approved",
    "job queued": "put it in the queue",
    "job running": "began to carry it out",
    "job succeeded": "carried it out whole",
    "job partial": "carried it out in part",
    "job failed": "stopped it: it failed",
    "job cancelled": "cancelled it",
    "job rejected": "turned it down",
    "job quarantined": "gave it up: three workers died with it",
    "job rolled back": "noted that it was taken back",
    "job previewed": "finished the dry run",
    "job paused": "paused it",
    "request approved": "approved it",
    "request rejected": "rejected it",
    "request void": "let the request lapse",
    "decision refused": "tried to decide on it and was refused",
    "rollback requested": "asked to take it back",
    "reprocess": "changed the warehouse: published",
    "rollback": "changed the warehouse: took it back",
    "before-image purged": "purged its before-image",
    "attempt refused": "was refused",
}
HIDDEN = ("reason", "from", "asked", "at")


def sentence(event: Event) -> str:
    """What was done, to be read after the name of who did it."""
    if event.action.startswith("job ") and event.detail.get("asked"):
        return f"asked to {event.detail['asked']}"
    return SENTENCES.get(event.action, event.action)


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
    return f"{value:,}" if isinstance(value, int) else str(value)
