"""What people fill in to see a ladder and to recover rows of a moment."""

from typing import Any, cast
from uuid import UUID

from django import forms

from archives.forms import ReasonForm
from archives.recovering import Asked
from jobs.moment_field import MomentField


class LadderForm(forms.Form):
    """Of which load run or table the ladder is wanted."""

    table = forms.ChoiceField(required=False, label="Table")
    run = forms.UUIDField(
        required=False,
        label="or load run",
        error_messages={"invalid": "This is no load run's id, which looks like a UUID."},
    )

    def __init__(self, data: Any, tables: list[str]) -> None:
        super().__init__(data)
        choices = [("", "Choose a table"), *((table, f"stg.{table}") for table in tables)]
        cast(forms.ChoiceField, self.fields["table"]).choices = choices


class RecoverForm(ReasonForm):
    table = forms.ChoiceField(label="Table")
    at = MomentField("As it was at", required=False, seconds=True)
    before_job = forms.UUIDField(
        required=False,
        label="or just before the job",
        help_text="The moment before its first effect.",
        error_messages={"invalid": "This is no job's id, which looks like a UUID."},
    )
    run = forms.UUIDField(
        required=False,
        label="Only the rows that this load run owned then",
        help_text="Empty: all rows of the table.",
        error_messages={"invalid": "This is no load run's id, which looks like a UUID."},
    )
    into = forms.ChoiceField(
        label="Put the rows",
        choices=[
            ("set", "Into an archive set, to be restored into staging afterwards: with a dry run of its own"),
            ("side", "Into a table beside staging, named by Restage and dropped after a week"),
        ],
        initial="set",
        widget=forms.RadioSelect,
    )
    dry_run = forms.BooleanField(label="Dry run: count and compare only", required=False)
    field_order = ("table", "at", "before_job", "run", "into", "reason", "dry_run")

    def __init__(self, data: Any, tables: list[str], initial: dict[str, Any]) -> None:
        super().__init__(data, initial={name: value for name, value in initial.items() if name in self.base_fields})
        cast(forms.ChoiceField, self.fields["table"]).choices = [(table, f"stg.{table}") for table in tables]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        wrong = {"at", "before_job"} & self.errors.keys()
        if not wrong and (found.get("at") is None) == (found.get("before_job") is None):
            self.add_error("at", "Give a moment or a job, one of the two.")
        return found

    def asked(self) -> Asked:
        data = self.cleaned_data
        when = data["before_job"] or data["at"]
        return Asked(data["table"], when, cast(UUID | None, data["run"]), data["into"])
