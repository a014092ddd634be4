"""Jobs as their list shows them: by state, kind, the table that they are about, and the days on which they were asked
for. What counts jobs on other pages counts through the same filter."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django import forms
from django.db.models import Q, QuerySet

from access import days
from jobs import kinds
from jobs.models import Job


@dataclass(frozen=True)
class Wanted:
    """What is not given does not narrow. `since`, `until`: days of the console's zone, both included."""

    state: str = ""
    kind: str = ""
    table: str = ""
    since: date | None = None
    until: date | None = None


def filtered(wanted: Wanted) -> QuerySet[Job]:
    """Every job that fits."""
    found = Job.objects.all()
    if wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.kind:
        found = found.filter(kind=wanted.kind)
    if wanted.table:
        previewed = Q(outcome__tables__isnull=True, plan__preview__tables__has_key=wanted.table)
        found = found.filter(Q(outcome__tables__has_key=wanted.table) | previewed)
    return found.filter(days.between("created_at", wanted.since, wanted.until))


class JobFilter(forms.Form):
    state = forms.ChoiceField(required=False, label="State", choices=[("", "Any state"), *Job.State.choices])
    kind = forms.ChoiceField(required=False, label="Kind", choices=lambda: [("", "Any kind"), *kinds.titles()])
    since = forms.DateField(required=False, label="Asked from", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="to", widget=forms.DateInput(attrs={"type": "date"}))
    table = forms.RegexField(r"^[a-z0-9_]{1,63}$", required=False, label="Table", widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("since") and found.get("until") and found["until"] < found["since"]:
            self.add_error("until", "This day is before the first one.")
        return found

    def wanted(self) -> Wanted:
        """Of a form that is valid."""
        return Wanted(**self.cleaned_data)
