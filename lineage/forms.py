"""What people fill in to follow a row."""

from typing import Any

from django import forms

from audit.reasons import SaidField

WHY = "look-why"  # as no column of a key can be called


def purpose() -> Any:
    return SaidField(
        label="Why you look",
        max_length=200,
        help_text="The trail keeps it, and a keyed hash in place of the key. Name no patient.",
        error_messages={"required": "Say why you look: it is kept in the trail."},
    )


class PurposeForm(forms.Form):
    purpose = purpose()


class TraceForm(forms.Form):
    """A natural key, one field a part. It is posted: no URL and no log has it."""

    def __init__(self, data: Any, columns: list[str]) -> None:
        super().__init__(data)
        for name in columns:
            self.fields[name] = forms.CharField(
                label=name,
                max_length=200,
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
                error_messages={"required": f"{name} is a part of the key and cannot be empty."},
            )
        self.fields[WHY] = purpose()
