"""What people fill in."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from django import forms

from audit.reasons import SaidField
from reprocessing.planning import Options
from reprocessing.runs import STATES
from reprocessing.waves import MOST_PAUSE_MINUTES, UNTIL_PROMOTED, Rules, shares
from warehouse.discovery import Filter


def offer(form: forms.BaseForm, name: str, choices: Iterable[tuple[Any, str]]) -> None:
    """Set what can be chosen in a field, where that is known only when the form is made."""
    cast(forms.ChoiceField, form.fields[name]).choices = list(choices)


def offer_extracts(form: forms.BaseForm, names: Iterable[str]) -> None:
    """Let one extract be chosen, or any."""
    offer(form, "extract", [("", "Any extract"), *((name, name) for name in names)])


def _demand_order(form: forms.BaseForm, found: Mapping[str, Any]) -> None:
    since, until = found.get("since"), found.get("until")
    if since and until and until < since:
        form.add_error("until", "This day is before the first one.")


def _radio(label: str, choices: Sequence[tuple[str, str]], *, required: bool = False) -> forms.ChoiceField:
    """One of some, the first of them unless another is chosen."""
    return forms.ChoiceField(
        label=label, required=required, choices=choices, initial=choices[0][0], widget=forms.RadioSelect
    )


class RunFilter(forms.Form):
    state = forms.ChoiceField(required=False, label="State")
    extract = forms.ChoiceField(required=False, label="Extract")
    since = forms.DateField(required=False, label="Loaded from", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="to", widget=forms.DateInput(attrs={"type": "date"}))
    practice = forms.CharField(required=False, label="Practice", max_length=100)

    def __init__(self, data: Any, extracts: list[str]) -> None:
        super().__init__(data)
        states = [(state, state.replace("_", " ").capitalize()) for state in STATES]
        offer(self, "state", [("", "Any state"), *states])
        offer_extracts(self, extracts)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        _demand_order(self, found)
        return found


class ReprocessForm(forms.Form):
    source = _radio(
        "Read from",
        [
            ("files", "The delivered files again (a new attempt at each file)"),
            ("raw", "The raw records that are there (only staging is made anew)"),
            ("nothing", "Nothing: quarantine the files, so that nothing of them counts until that is rolled back"),
        ],
        required=True,
    )
    which = _radio(
        "Which files", [("all", "All files of the run"), ("failed", "Only the files that failed")], required=True
    )
    extracts = forms.MultipleChoiceField(
        label="Extracts", required=False, widget=forms.CheckboxSelectMultiple, help_text="None ticked: all of them."
    )
    only_files = forms.TypedMultipleChoiceField(
        label="Files",
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: all that the rest selects.",
    )
    since = forms.DateField(
        required=False, label="Extracted from (UTC)", widget=forms.DateInput(attrs={"type": "date"})
    )
    until = forms.DateField(required=False, label="to", widget=forms.DateInput(attrs={"type": "date"}))
    mode = _radio(
        "Write",
        [
            ("incremental", "Only the rows that change"),
            ("replace", "Every row that the files own: owner and load time become new"),
        ],
    )
    raw_history = _radio(
        "Raw records of the replaced attempts",
        [
            ("supersede", "Keep them, superseded"),
            ("delete", "Delete them, once their rows of staging are archived (somebody else must approve it)"),
        ],
    )
    declaration = _radio(
        "Declaration of the extract",
        [
            ("current", "The one in force"),
            ("original", "The one that each file was built with (dry run only: it shows, it cannot publish)"),
        ],
    )
    reason = SaidField(
        label="Reason",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Everybody who follows this job reads it. Name no patient.",
        error_messages={"required": "Say why: the reviewer and the trail need it."},
    )
    past_breaker = forms.BooleanField(
        label="Publish though the circuit breaker objects (somebody else must approve it)", required=False
    )
    dry_run = forms.BooleanField(label="Dry run: show exactly what would change, and stop there", required=False)

    NARROWER = ("only_files", "since", "until", "mode", "raw_history", "declaration")

    def __init__(
        self, data: Any = None, *, extracts: list[str], files: Sequence[tuple[int, str]] = (), **more: Any
    ) -> None:
        super().__init__(data, **more)
        offer(self, "extracts", [(extract, extract) for extract in extracts])
        offer(self, "only_files", files)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        _demand_order(self, found)
        if found.get("declaration") == "original" and not found.get("dry_run"):
            self.add_error("declaration", "Tick the dry run as well: with a former declaration nothing is published.")
        return found

    @property
    def narrower(self) -> list[Any]:
        """The fields that most jobs leave as they are."""
        return [self[name] for name in self.NARROWER]

    @property
    def foremost(self) -> list[Any]:
        return [field for field in self if field.name not in self.NARROWER]

    @property
    def narrowed(self) -> bool:
        """Whether one of the narrower fields is filled in or wrong, so that it must be seen."""
        data = getattr(self, "cleaned_data", {})
        plain = ("incremental", "supersede", "current")
        return any(self[name].errors or (data.get(name) and data[name] not in plain) for name in self.NARROWER)

    def options(self) -> Options:
        """What is asked for, as far as it is valid: for the selection shown while the form is being filled in."""
        data = getattr(self, "cleaned_data", {})
        return Options(
            extracts=tuple(data.get("extracts", ())),
            source=data.get("source") or "files",
            which=data.get("which") or "all",
            files=frozenset(data["only_files"]) if data.get("only_files") else None,
            since=data.get("since"),
            until=data.get("until"),
            mode=data.get("mode") or "incremental",
            raw_history=data.get("raw_history") or "supersede",
            declaration=data.get("declaration") or "current",
            past_breaker=bool(data.get("past_breaker")),
        )


class WavesForm(forms.Form):
    """How a job publishes: at once, or in waves."""

    publish = _radio("Publish", [("once", "Everything at once"), ("waves", "In waves, with checks after each")])
    shares = forms.CharField(
        label="Waves up to (percent of the records)", required=False, initial="1, 10, 50, 100", max_length=100
    )
    wave_by = forms.ChoiceField(
        label="Kept whole in a wave",
        required=False,
        choices=[("file", "Each file"), ("practice", "All files of a practice")],
    )
    between = forms.ChoiceField(
        label="After a wave whose checks passed",
        required=False,
        choices=[("go on", "Go on"), ("wait", "Wait some minutes"), ("ask", "Wait until somebody promotes the next")],
    )
    minutes = forms.IntegerField(
        label="Minutes to wait", required=False, min_value=1, max_value=MOST_PAUSE_MINUTES, initial=30
    )
    failures = forms.IntegerField(label="Failed checks allowed", required=False, min_value=0, max_value=99, initial=0)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("publish") == "waves" and not self.errors:
            try:
                self._rules(found)
            except ValueError as error:
                self.add_error("shares", str(error))
        return found

    def rules(self) -> Rules | None:
        """None where everything is published at once."""
        return self._rules(self.cleaned_data) if self.cleaned_data["publish"] == "waves" else None

    def _rules(self, data: dict[str, Any]) -> Rules:
        pause = {"ask": UNTIL_PROMOTED, "wait": data.get("minutes") or 30}.get(data.get("between", ""), 0)
        return Rules(shares(data["shares"]), data["wave_by"] or "file", pause, data.get("failures") or 0)


class DiscoveryFilter(forms.Form):
    """What discovery looks for; nothing filled in is the default of warehouse.discovery.Filter."""

    why = forms.ChoiceField(
        required=False,
        label="Why",
        choices=[
            ("", "Any reason"),
            ("failed", "Failed"),
            ("stuck", "Stuck in processing"),
            ("pending", "Never taken up"),
            ("rejects", "More than 5 % refused"),
        ],
    )
    extract = forms.ChoiceField(required=False, label="Extract")
    cause = forms.CharField(required=False, max_length=8, widget=forms.HiddenInput)
    age_of = forms.ChoiceField(
        required=False,
        label="Age counts from",
        choices=[("failed", "the last failure"), ("received", "its arrival"), ("extracted", "its extraction")],
    )
    older_than = forms.IntegerField(required=False, min_value=0, max_value=100_000, label="Older than (hours)")
    newer_than = forms.IntegerField(required=False, min_value=1, max_value=100_000, label="Newer than (hours)")
    most = forms.IntegerField(required=False, min_value=1, max_value=5_000, label="At most (files)")

    def __init__(self, data: Any, extracts: list[str]) -> None:
        super().__init__(data)
        offer_extracts(self, extracts)
        self.fields["most"].widget.attrs["placeholder"] = str(Filter.most)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        older, newer = found.get("older_than"), found.get("newer_than")
        if older is not None and newer is not None and newer <= older:
            self.add_error("newer_than", "No file is older than that and newer than this.")
        return found

    def wanted(self) -> Filter:
        data = self.cleaned_data
        older, newer = data["older_than"], data["newer_than"]
        return Filter(
            why=data["why"],
            extract=data["extract"],
            cause=data["cause"],
            age_of=data["age_of"] or "failed",
            older_than=None if older is None else timedelta(hours=older),
            newer_than=None if newer is None else timedelta(hours=newer),
            most=data["most"] or Filter.most,
        )


class ReasonForm(forms.Form):
    reason = SaidField(
        label="Reason",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reviewer and the trail need it."},
    )


class RollbackForm(ReasonForm):
    tables = forms.MultipleChoiceField(
        label="Tables",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: all of them. Each table is made from files of its own, so any choice leaves it right.",
    )
    with_later = forms.BooleanField(label="Take the later jobs back too, newest first", required=False)

    def __init__(self, data: Any, *, tables: list[str], later: int) -> None:
        super().__init__(data)
        offer(self, "tables", [(table, f"stg.{table}") for table in tables])
        if len(tables) < 2:
            del self.fields["tables"]
        if later:
            self.fields["with_later"].required = True
            self.fields["with_later"].error_messages["required"] = "Without them this job cannot be taken back."
        else:
            del self.fields["with_later"]
