"""The choice of a time zone: 600 options, written at once instead of by a template each (100 ms a page)."""

from typing import Any

from django import forms
from django.conf import settings
from django.forms.renderers import BaseRenderer
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.weekly import known_zones


def zones() -> list[tuple[str, str]]:
    """Every zone there is, the console's own first."""
    own = settings.TIME_ZONE
    return [(own, own), ("UTC", "UTC"), *((zone, zone) for zone in sorted(known_zones() - {own, "UTC"}))]


class ZoneSelect(forms.Select):
    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        """As Django's own, without groups."""
        chosen = self.format_value(value)
        options = ((zone, " selected" if zone in chosen else "", told) for zone, told in self.choices)
        return format_html(
            "<select{}>{}</select>",
            flatatt({"name": name, **self.build_attrs(self.attrs, attrs)}),
            format_html_join("", '<option value="{}"{}>{}</option>', options),
        )


class ZoneField(forms.ChoiceField):
    def __init__(self, *, required: bool = True) -> None:
        super().__init__(
            label="Time zone",
            required=required,
            choices=zones,
            widget=ZoneSelect,
            initial=lambda: settings.TIME_ZONE,
            error_messages={"invalid_choice": "There is no such time zone. One is written like Pacific/Auckland."},
        )
