"""How pages write numbers, times and ids."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access import zones
from warehouse import amounts

register = template.Library()

STATES = {
    "ok": {"active", "closed", "completed", "fired", "in force", "succeeded", "approved", "pass", "passed", "sent"},
    "attention": {
        *("awaiting approval", "completed with failures", "half open", "inconclusive", "missed", "partial", "paused"),
        *("pending", "previewed", "proposed", "stuck", "warn"),
    },
    "bad": {"block", "dead", "fail", "failed", "no right", "open", "quarantined", "rejected", "stopped", "too deep"},
    "progress": {"running", "processing", "previewing", "queued", "waiting"},
}


@register.filter
def count(number: float | None) -> str:
    """12431 → "12,431"; nothing known → "unknown"."""
    return "unknown" if number is None else f"{number:,.0f}"


@register.filter
def percent(part: float | None, whole: float | None) -> str:
    """A share with one decimal; a part of nothing is all of it."""
    if not part:
        return "0 %"
    return f"{100 * part / whole:.1f} %" if whole else "100 %"


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """In words, two units at most: "1 h 12 min", "3 s", "less than 1 s"."""
    if seconds is None:
        return "unknown"
    total = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
    if total < 1:
        return "less than 1 s"
    hours, rest = divmod(round(total), 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {left} s" if left and minutes < 10 else f"{minutes} min"
    return f"{left} s"


@register.filter
def expected(plan: Any) -> str:
    """A plan's estimate as a range, "2 s to 5 s"; one number where both ends read the same."""
    ends = [duration((plan.preview or {}).get("estimate_low")), duration(plan.seconds)]
    return " to ".join(dict.fromkeys(ends))


@register.filter
def away(wait: timedelta) -> str:
    """How long until something comes: "3 d", "8 h", "20 min", "less than 1 min"."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if wait.total_seconds() >= size * (2 if unit == "d" else 1):
            return f"{round(wait.total_seconds() / size)} {unit}"
    return "less than 1 min"


@register.filter
def megabytes(size: int | None) -> str:
    return "unknown" if size is None else amounts.megabytes(size)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A <time> that reads relative and holds the absolute, in the zone of the page."""
    if moment is None:
        return "—"
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}" data-relative>{}</time>',
        local.isoformat(),
        local.strftime("%Y-%m-%d %H:%M:%S %Z"),
        _relative(timezone.now() - moment, local),
    )


@register.filter
def wall(moment: datetime | None, zone: str) -> str:
    """A moment by the wall clock of what has a zone of its own, which it names; of one that is gone, by the page's."""
    if moment is None:
        return "—"
    local = timezone.localtime(moment, zones.named(zone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M %Z}"


def _relative(age: timedelta, moment: datetime) -> str:
    seconds = age.total_seconds()
    if seconds < 45:
        return "just now"
    for limit, unit, size in ((3600, "min", 60), (86400, "h", 3600), (14 * 86400, "d", 86400)):
        if seconds < limit:
            return f"{max(1, round(seconds / size))} {unit} ago"
    return moment.strftime("%Y-%m-%d")


@register.filter
def short_id(value: Any) -> str:
    """An id shortened in the middle."""
    text = str(value)
    return f"{text[:8]}…{text[-4:]}" if len(text) > 16 else text


@register.filter
def colour(state: str) -> str:
    """Which of the four states, or neutral, a word stands for."""
    return next((name for name, words in STATES.items() if state in words), "neutral")


@register.filter
def words(state: str) -> str:
    """A state as a person reads it: "rolled_back" → "Rolled back"."""
    return state.replace("_", " ").capitalize()


@register.filter
def count_of(done: int | None, whole: int | None) -> str:
    """ "12,000 of 40,000 records", as far as known."""
    if not done:
        return ""
    return f"{done:,} of {whole:,} records" if whole else f"{done:,} records"


@register.inclusion_tag("runs/named.html")
def named_runs(load_runs: Iterable[Any], most: int = 3) -> dict[str, Any]:
    """ "load runs a, b and 7 more", linked: at most `most` of them by name."""
    found = list(load_runs)
    return {"all": found, "named": found[:most], "more": len(found[most:])}


@register.simple_tag
def bars(inserted: int, updated: int, deleted: int, unchanged: int, kept_newer: int) -> list[dict[str, Any]]:
    """The parts of an effect bar, 1,000 wide; a part that is there is never thinner than 4."""
    named = (
        ("added", inserted),
        ("changed", updated),
        ("removed", deleted),
        ("same", unchanged),
        ("newer", kept_newer),
    )
    there = [(name, number) for name, number in named if number]
    total, spare = sum(number for _name, number in there), 1000 - 4 * len(there)
    parts, x = [], 0.0
    for name, number in there:
        width = 4 + spare * number / total
        parts.append({"name": name, "x": f"{x:.1f}", "width": f"{width:.1f}"})
        x += width
    return parts
