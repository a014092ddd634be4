"""What a reader of the dashboard has asked for, and the addresses that keep it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.http import QueryDict
from django.urls import reverse

from monitoring import periods
from monitoring.periods import Period
from warehouse.figures_reading import Scope
from warehouse.registry import Registry


@dataclass(frozen=True)
class Wanted:
    """What the dashboard looks at. `query`: the period as its address has it; `table`: of the extract."""

    period: Period
    extract: str = ""
    practice: str = ""
    query: str = ""
    table: str = ""

    @property
    def scope(self) -> Scope:
        return Scope(self.period.start, self.period.stop, self.extract, self.practice)

    def narrowed(self, **more: str) -> str:
        """The dashboard's address, with these filters instead."""
        return f"{reverse('home')}?{urlencode({**self.dates, **self.kept, **more})}"

    @property
    def dates(self) -> dict[str, str]:
        return dict(parse_qsl(self.query))

    @property
    def kept(self) -> dict[str, str]:
        return {name: value for name, value in (("extract", self.extract), ("practice", self.practice)) if value}

    @property
    def days(self) -> dict[str, str]:
        """As the filters of lists take them."""
        return {"since": self.period.since.isoformat(), "until": self.period.until.isoformat()}

    def jobs(self, **more: str) -> str:
        """The list of exactly the jobs that are meant."""
        table = {"table": self.table} if self.table else {}
        return f"{reverse('jobs')}?{urlencode({**more, **self.days, **table})}"

    def runs(self, **more: str) -> str:
        """The list of exactly the load runs that are meant."""
        return f"{reverse('runs')}?{urlencode({**more, **self.days, **self.kept})}"


class DashboardFilter(forms.Form):
    range = forms.ChoiceField(
        required=False,
        label="Time",
        choices=[*((name, label) for name, (label, _days) in periods.RELATIVE.items()), (periods.DATES, "From … to …")],
    )
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="to", widget=forms.DateInput(attrs={"type": "date"}))
    was = forms.CharField(required=False, max_length=10, widget=forms.HiddenInput)
    extract = forms.ChoiceField(required=False, label="Extract")
    practice = forms.CharField(required=False, label="Practice", max_length=100)

    def __init__(self, data: QueryDict, registry: Registry) -> None:
        super().__init__(_settled(data))
        self._registry = registry
        cast(forms.ChoiceField, self.fields["extract"]).choices = [
            ("", "Any extract"),
            *((name, name) for name in registry.names),
        ]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("range") == periods.DATES and not self.errors:
            since, until = found.get("since"), found.get("until")
            if not since or not until:
                self.add_error("since", "Give both days.")
            elif until < since:
                self.add_error("until", "This day is before the first one.")
            elif (until - since).days >= periods.MOST_DAYS:
                self.add_error("until", f"That is more than {periods.MOST_DAYS:,} days.")
            elif since.year < periods.FIRST_YEAR or until.year > periods.LAST_YEAR:
                self.add_error("since", f"Give days of the years {periods.FIRST_YEAR} to {periods.LAST_YEAR}.")
        return found

    def wanted(self, now: datetime) -> Wanted:
        """Of a form that is valid."""
        found = self.cleaned_data
        if found["range"] == periods.DATES:
            period = Period(found["since"], found["until"])
            query = {"range": periods.DATES, "since": period.since.isoformat(), "until": period.until.isoformat()}
        else:
            period, query = periods.of(found["range"], now), {"range": found["range"]}
        table = self._registry[found["extract"]].table if found["extract"] else ""
        return Wanted(period, found["extract"], found["practice"], urlencode(query), table)


def _settled(data: QueryDict) -> QueryDict:
    """One of days and a relative time: where the form had a relative one (`was`) and still has, the days are new."""
    given = data.copy()
    chosen, dated = str(given.get("range") or ""), bool(given.get("since") or given.get("until"))
    if not chosen or (dated and chosen == given.get("was")):
        given["range"] = periods.DATES if dated else chosen or periods.DEFAULT
    if given["range"] != periods.DATES:
        given.pop("since", None)
        given.pop("until", None)
    given["was"] = str(given["range"])
    return given
