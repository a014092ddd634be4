"""A moment as a form asks for it: by the wall clock of the zone that is named beside it and sent back with it.

So it is read in the zone that it was written in, also where somebody changes theirs while the form is open.
"""

from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.forms.renderers import BaseRenderer
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access import zones

YEARS = range(1900, 3000)  # whichever zone it is told in, there is such a moment


class Written(NamedTuple):
    wall: str
    zone: str


class MomentInput(forms.DateTimeInput):
    def __init__(self, *, seconds: bool) -> None:
        step, clock = ({"step": "1"}, "%H:%M:%S") if seconds else ({}, "%H:%M")
        super().__init__(attrs={"type": "datetime-local", **step}, format=f"%Y-%m-%dT{clock}")

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Written | None:
        """Without a zone it is that of the page."""
        wall = data.get(name)
        return Written(wall, data.get(f"{name}_zone") or zones.current()) if wall else None

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        wall, zone = value if isinstance(value, Written) else (value, zones.current())
        return format_html(
            '{}<span class="muted">in {}</span><input type="hidden" name="{}_zone" value="{}">',
            super().render(name, wall, attrs, renderer),
            zone,
            name,
            zone,
        )


class MomentField(forms.DateTimeField):
    def __init__(self, label: str, *, required: bool = True, seconds: bool = False) -> None:
        super().__init__(label=label, required=required, widget=MomentInput(seconds=seconds))

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, Written):
            return super().to_python(value)
        zone = zones.named(value.zone)
        if zone is None:
            raise ValidationError("There is no such time zone. Load the page again.", code="zone")
        try:
            with timezone.override(zone):
                found = super().to_python(value.wall)
        except ValidationError as error:
            if error.code != "ambiguous_timezone":
                raise
            told = f"The clocks of {zone} are changed then: this time comes twice or never. Give it in UTC: choose that"
            told += " zone at the foot of the page, and come back."
            raise ValidationError(told, code=error.code) from None
        if found is not None and found.year not in YEARS:
            raise ValidationError(f"Give a moment of the years {YEARS[0]} to {YEARS[-1]}.", code="year")
        return found
