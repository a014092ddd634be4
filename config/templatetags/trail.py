"""How pages write events of the trail."""

from collections.abc import Collection, Iterable
from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from audit import telling
from audit.models import Event
from config.templatetags.restage import short_id
from jobs.models import Job

register = template.Library()

# kind of subject → the page that shows it
PAGES = {
    "job": "job",
    "schedule": "schedule",
    "trigger": "trigger",
    "archiveset": "archive_set",
    "channel": "channel",
    "alert": "alert",
}


# kind of subject → its word, where the kind is none
WORDS = {
    "archiveset": "Archive set",
    "qualityverdict": "Verdict",
    "rule": "Alert rule",
    "ruleversion": "Approval rules",
    "user": "Account",
}


@register.filter
def pairs(event: Event) -> list[tuple[str, str]]:
    return telling.pairs(event)


@register.filter
def sentence(event: Event) -> str:
    return telling.sentence(event)


@register.filter
def way(event: Event) -> str:
    return telling.way(event)


@register.filter
def last_of(ranges: list[list[int]]) -> int:
    """The last id of a seal's ranges."""
    return ranges[-1][1]


@register.simple_tag
def known_jobs(events: Iterable[Event]) -> set[str]:
    """The subjects of events that are jobs of this console: the sample's, or those of another one, have no page."""
    asked = {event.subject for event in events if event.subject.startswith("job:")}
    numbers = [subject.removeprefix("job:") for subject in asked if _url("job", subject.removeprefix("job:"))]
    return {f"job:{pk}" for pk in Job.objects.filter(pk__in=numbers).values_list("pk", flat=True)}


@register.simple_tag
def subject_link(subject: str, jobs: Collection[str] | None = None) -> SafeString | str:
    """The object of an event, linked where it has a page; of the jobs only these, where they are given."""
    kind, _, number = subject.partition(":")
    word, url = WORDS.get(kind, kind.capitalize()), _url(kind, number)
    if not url or (kind == "job" and jobs is not None and subject not in jobs):
        return f"{word} {short_id(number)}"
    return format_html('<a href="{}">{} <span class="id">{}</span></a>', url, word, short_id(number))


def _url(kind: str, number: Any) -> str:
    if kind not in PAGES:
        return ""
    try:
        return reverse(PAGES[kind], args=[number])
    except NoReverseMatch:
        return ""
