"""What people fill in of a time of the week: days, times by the wall clock, zone."""

from typing import Any

from django import forms

from jobs.weekly import WEEKDAYS
from jobs.zone_field import ZoneField


class WeekdaysField(forms.TypedMultipleChoiceField):
    """Days as numbers, 0 is Monday."""

    def __init__(self, label: str = "Begins on", *, required: bool = True) -> None:
        super().__init__(
            label=label,
            required=required,
            coerce=int,
            choices=list(enumerate(WEEKDAYS)),
            widget=forms.CheckboxSelectMultiple,
            error_messages={"required": "Tick at least one day."},
        )


class WallTimeField(forms.TimeField):
    def __init__(self, label: str, hint: str = "", *, required: bool = True) -> None:
        widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
        super().__init__(label=label, help_text=hint, required=required, widget=widget)


class WeeklyForm(forms.Form):
    weekdays = WeekdaysField()
    begins = WallTimeField("From")
    ends = WallTimeField("To", "Not after its beginning: it ends on the next day.")
    zone = ZoneField()

    def times(self) -> dict[str, Any]:
        """Of a valid form: what a model keeps of it."""
        return {name: self.cleaned_data[name] for name in ("weekdays", "begins", "ends", "zone")}
