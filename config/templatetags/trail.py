"""How pages write events of the trail."""

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit import telling
from audit.models import Event
from config.templatetags.restage import short_id

register = template.Library()

# kind of subject → the page that shows it
PAGES = {"job": "job", "schedule": "schedule", "trigger": "trigger", "run": "run", "archive": "archive"}


@register.filter
def pairs(event: Event) -> list[tuple[str, str]]:
    return telling.pairs(event)


@register.filter
def sentence(event: Event) -> str:
    return telling.sentence(event)


@register.filter
def last_of(ranges: list[list[int]]) -> int:
    """The last id of a seal's ranges."""
    return ranges[-1][1]


@register.simple_tag
def subject_link(subject: str) -> SafeString | str:
    """The object of an event, linked where it has a page."""
    kind, _, number = subject.partition(":")
    told = f"{kind.capitalize()} {short_id(number)}"
    url = _url(kind, number)
    return (
        format_html('<a href="{}">{} <span class="id">{}</span></a>', url, kind.capitalize(), short_id(number))
        if url
        else told
    )


def _url(kind: str, number: Any) -> str:
    if kind not in PAGES:
        return ""
    try:
        return reverse(PAGES[kind], args=[number])
    except NoReverseMatch:
        return ""
