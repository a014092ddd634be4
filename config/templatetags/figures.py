"""How pages write tables of figures, bars and sparklines."""

from functools import cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from access import days
from config.templatetags import restage
from monitoring.charts import Chart, Series
from monitoring.tables import (
    BYTES,
    COUNT,
    DAY,
    HOUR,
    ID,
    MOMENT,
    NUMBERS,
    SECONDS,
    SHARE,
    STATE,
    Column,
    Linked,
    Spark,
    Table,
)
from warehouse.discovery import MOST_REJECTED

register = template.Library()
SPARK_WIDTH, SPARK_HEIGHT = 80.0, 18.0
LEAST_SPARK = MOST_REJECTED
STATES = {"alive": "ok", "up": "ok", "silent": "attention", "away": "bad"}


@register.filter
def figure(value: Any, kind: str) -> str:
    """A number of a kind, as people read it."""
    if value is None:
        return "—"
    if kind == SHARE:
        return f"{100 * value:.1f} %"
    if kind == SECONDS:
        return restage.duration(value)
    if kind == BYTES:
        return restage.megabytes(int(value))
    return restage.count(value) if kind == COUNT else str(value)


@register.filter
def moment(value: Any, by_hour: bool) -> str:
    """The beginning of an hour in the zone of the page, or a day, which is one of the console's."""
    if by_hour:
        return timezone.localtime(value).strftime("%-d %b %H:%M")
    return days.of(value).strftime("%-d %b %Y")


@register.simple_tag
def heads(table: Table) -> SafeString:
    return format_html_join("", '<th scope="col"{}>{}</th>', ((_css(column), column.label) for column in table.columns))


@register.simple_tag
def cells(table: Table, row: tuple[Any, ...]) -> SafeString:
    """A row; its first cell heads it where it is text."""
    return format_html_join(
        "", "<td{}>{}</td>", ((_css(c), _cell(value, c)) for c, value in zip(table.columns, row, strict=True))
    )


@register.filter
def bars(chart: Chart) -> SafeString:
    return format_html_join("", '<path class="{}" d="{}"/>', chart.paths)


@register.filter
def total(series: Series) -> str:
    return figure(series.total, series.kind)


@cache
def _css(column: Column) -> SafeString:
    names = [name for name, holds in (("num", column.kind in NUMBERS), ("minor", column.minor)) if holds]
    if column.kind == "text":
        names.append("wide")
    return format_html(' class="{}"', " ".join(names)) if names else SafeString("")


def _cell(value: Any, column: Column) -> SafeString | str:
    if isinstance(value, Linked):
        return format_html('<a href="{}">{}</a>', value.url, _cell(value.value, column))
    if isinstance(value, Spark):
        return _spark(value)
    if column.kind == MOMENT:
        return restage.ago(value)
    if column.kind in (DAY, HOUR):
        return moment(value, column.kind == HOUR)
    if column.kind == STATE:
        return _status(value)
    if column.kind == ID:
        return format_html('<span class="id" title="{}">{}</span>', value, restage.short_id(value))
    return figure(value, column.kind)


def _status(state: str) -> SafeString:
    """As components/status.html, without a template for each of many cells."""
    colour = STATES.get(state) or restage.colour(state)
    return format_html(
        '<span class="status {0}"><svg class="icon" aria-hidden="true"><use href="{1}#{0}"></use></svg>{2}</span>',
        colour,
        static("icons.svg"),
        restage.words(state),
    )


def _spark(spark: Spark) -> SafeString | str:
    """The share as a line from left to right; its height is 5 %, or its own greatest value where that is more."""
    known = [value for value in spark.values if value is not None]
    if len(known) < 2:
        return ""
    most, step = max(*known, LEAST_SPARK), SPARK_WIDTH / max(len(spark.values) - 1, 1)
    places = " ".join(
        f"{n * step:.1f},{SPARK_HEIGHT - 1 - value / most * (SPARK_HEIGHT - 2):.1f}"
        for n, value in enumerate(spark.values)
        if value is not None
    )
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="at most {}"><polyline points="{}"/></svg>',
        f"{SPARK_WIDTH:g}",
        f"{SPARK_HEIGHT:g}",
        figure(max(known), SHARE),
        places,
    )
