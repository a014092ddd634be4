"""What people fill in for a restore."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django import forms

from archives.restore_requests import Wanted
from audit.reasons import SaidField
from warehouse.archive_sets import Part


class ChooseForm(forms.Form):
    """By which load run and table sets are looked for."""

    run = forms.UUIDField(label="Load run", required=False, error_messages={"invalid": "That is no id of a load run."})
    table = forms.CharField(label="Table", required=False, max_length=63)


class RestoreForm(forms.Form):
    tables = forms.MultipleChoiceField(
        label="Tables", required=False, widget=forms.CheckboxSelectMultiple, help_text="None ticked: all of the set."
    )
    into = forms.ChoiceField(
        label="Put the rows",
        choices=[
            ("staging", "Back into staging"),
            ("side", "Into a table beside it, named by Restage and dropped after a week"),
        ],
        initial="staging",
        widget=forms.RadioSelect,
    )
    on_newer = forms.ChoiceField(
        label="Where a newer load run owns the key",
        choices=[
            ("skip", "Leave its row as it is"),
            ("fail", "Restore nothing at all"),
            ("overwrite", "Overwrite its row (somebody else must approve it)"),
        ],
        initial="skip",
        widget=forms.RadioSelect,
    )
    mapping = forms.CharField(
        label="Columns that have another name today",
        required=False,
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="One a line: old = new. Nothing after the = leaves the column out.",
    )
    reason = SaidField(
        label="Reason",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Everybody who follows this job reads it. Name no patient.",
        error_messages={"required": "Say why: the reviewer and the trail need it."},
    )

    def __init__(self, data: Any, *, parts: Sequence[Part]) -> None:
        super().__init__(data)
        choices = [(part.table_name, f"stg.{part.table_name}, {part.rows:,} rows") for part in parts]
        cast(forms.MultipleChoiceField, self.fields["tables"]).choices = choices
        if len(parts) < 2:
            del self.fields["tables"]

    def clean_mapping(self) -> dict[str, str]:
        try:
            return mapping(self.cleaned_data["mapping"].splitlines())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def wanted(self, set_id: UUID) -> Wanted:
        data = self.cleaned_data
        return Wanted(set_id, tuple(data.get("tables", ())), data["into"], data["on_newer"], data["mapping"])


def mapping(lines: Sequence[str]) -> dict[str, str]:
    """ "old = new" and "old =" as a mapping. Raises ValueError naming the line."""
    found: dict[str, str] = {}
    for number, line in enumerate((line for line in lines if line.strip()), start=1):
        old, equals, new = (part.strip() for part in line.partition("="))
        if not equals or not old:
            raise ValueError(f"Entry {number} is not of the form old = new.")
        if old in found:
            raise ValueError(f"{old} stands there twice.")
        found[old] = new
    return found


class ReasonForm(forms.Form):
    reason = SaidField(
        label="Reason",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reviewer and the trail need it."},
    )
