"""What people fill in about archives."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator

from access import days
from audit.reasons import SaidField
from warehouse import archive_retention
from warehouse.archive_search import KINDS, SORTS, TIERS, Wanted

DAY = forms.DateInput(attrs={"type": "date"})
LAST = date(2999, 12, 31)  # there must be a day after it
SORTED = {"archived_at": "Archived", "expires_at": "Expiry", "rows": "Rows", "bytes": "Size"}


def reason(label: str = "Reason", hint: str = "Everybody who follows this reads it. Name no patient.") -> Any:
    return SaidField(
        label=label,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=hint,
        error_messages={"required": "Say why: it is kept in the trail."},
    )


class ReasonForm(forms.Form):
    reason = reason()


class SearchForm(forms.Form):
    """The filters of the catalogue; what cannot be read does not narrow."""

    run = forms.UUIDField(
        required=False,
        label="Load run",
        error_messages={"invalid": "This is no load run's id, which looks like a UUID."},
    )
    table = forms.ChoiceField(required=False, label="Table")
    since = forms.DateField(required=False, label="Archived from", widget=DAY)
    until = forms.DateField(required=False, label="to", widget=DAY, validators=[MaxValueValidator(LAST)])
    reason = forms.CharField(required=False, label="Reason holds", max_length=100)
    kind = forms.ChoiceField(required=False, label="Kind")
    tier = forms.ChoiceField(required=False, label="Tier")
    expires = forms.ChoiceField(
        required=False,
        label="Expires",
        choices=[("", "Any time"), ("0", "Has expired"), ("7", "Within 7 days"), ("30", "Within 30 days")],
    )
    held = forms.ChoiceField(
        required=False, label="Hold", choices=[("", "Any"), ("yes", "On hold"), ("no", "Not on hold")]
    )
    verified = forms.ChoiceField(
        required=False,
        label="Verified",
        choices=[("", "Any"), ("never", "Never"), ("sound", "Sound"), ("broken", "Not sound")],
    )
    least = forms.FloatField(required=False, label="MB at least", min_value=0, max_value=1e9)
    there = forms.ChoiceField(
        required=False, label="Rows", choices=[("", "Are there"), ("no", "Are removed"), ("all", "Either")]
    )
    sort = forms.ChoiceField(required=False, label="Order by")
    order = forms.ChoiceField(required=False, label="Order", choices=[("", "Highest first"), ("asc", "Lowest first")])

    def __init__(self, data: Any, tables: list[str]) -> None:
        super().__init__(data)
        _offer(self, "table", [("", "Any table"), *((table, f"stg.{table}") for table in tables)])
        _offer(self, "kind", [("", "Any kind"), *((kind, kind.capitalize()) for kind in KINDS)])
        _offer(self, "tier", [("", "Any tier"), *((tier, tier.capitalize()) for tier in TIERS)])
        _offer(self, "sort", [(sort, SORTED[sort]) for sort in SORTS])

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("since") and found.get("until") and found["until"] < found["since"]:
            self.add_error("until", "This day is before the first one.")
        if "\0" in (found.get("reason") or ""):
            self.add_error("reason", "This is no text.")
        return found

    def wanted(self, now: datetime) -> Wanted:
        data = self.cleaned_data
        since, until = data.get("since"), data.get("until")
        return Wanted(
            run=cast(UUID | None, data.get("run")),
            table=data.get("table", ""),
            since=days.begin(since) if since else None,
            until=days.begin(until + timedelta(days=1)) if until else None,
            reason=data.get("reason", ""),
            kind=data.get("kind", ""),
            tier=data.get("tier", ""),
            expires_by=now + timedelta(days=int(data["expires"])) if data.get("expires") else None,
            held=data.get("held", ""),
            verified=data.get("verified", ""),
            least_bytes=None if data.get("least") is None else round(data["least"] * 1e6),
            there={"": "yes", "no": "no"}.get(data.get("there", ""), ""),
            sort=data.get("sort") or SORTS[0],
            descending=data.get("order") != "asc",
        )

    @property
    def narrower(self) -> list[forms.BoundField]:
        """The filters that are wanted less often."""
        return [self[name] for name in ("verified", "least", "there", "sort", "order")]

    @property
    def narrowed(self) -> bool:
        return any(field.value() for field in self.narrower)

    @property
    def foremost(self) -> list[forms.BoundField]:
        later = {field.name for field in self.narrower}
        return [field for field in self.visible_fields() if field.name not in later]


class ArchiveForm(ReasonForm):
    tables = forms.MultipleChoiceField(
        label="Tables", required=False, widget=forms.CheckboxSelectMultiple, help_text="None ticked: all of them."
    )
    days = forms.IntegerField(
        label="Keep for so many days",
        required=False,
        help_text="Empty: as long as the rules of retention say.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    cold = forms.BooleanField(label="Write them to sealed files of the cold tier as well", required=False)
    dry_run = forms.BooleanField(label="Dry run: show what would be kept, and stop there", required=False)
    field_order = ("tables", "days", "reason", "cold", "dry_run")

    def __init__(self, data: Any, tables: Mapping[str, str]) -> None:
        super().__init__(data)
        _offer(self, "tables", list(tables.items()))


class KeyForm(forms.Form):
    """One field a column of a table's natural key."""

    def __init__(self, data: Any, columns: list[str]) -> None:
        super().__init__(data)
        for column in columns:
            self.fields[column] = forms.CharField(
                label=column,
                max_length=200,
                widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
                error_messages={"required": "A natural key has a value in every column."},
            )


class RetentionForm(ReasonForm):
    table = forms.ChoiceField(required=False, label="Of table")
    words = forms.CharField(
        required=False, max_length=100, label="Archived for a reason that holds", help_text="Empty: for any reason."
    )
    days = forms.IntegerField(
        label="Keep for so many days",
        min_value=archive_retention.LEAST_DAYS,
        max_value=archive_retention.MOST_DAYS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        error_messages={
            "min_value": f"Every archive is kept for {archive_retention.LEAST_DAYS} days at least, whoever asks."
        },
    )
    existing = forms.BooleanField(
        label="Count it for the sets that are there as well",
        required=False,
        help_text="Where one of them would expire sooner by it, somebody else must approve that.",
    )
    field_order = ("table", "words", "days", "existing", "reason")

    def __init__(self, data: Any, tables: list[str]) -> None:
        super().__init__(data)
        _offer(self, "table", [("", "Any table"), *((table, f"stg.{table}") for table in tables)])


class CleanupForm(ReasonForm):
    older_than = forms.IntegerField(
        label="Archived more than so many days ago",
        required=False,
        min_value=0,
        max_value=archive_retention.MOST_DAYS,
        help_text="Empty: whatever has expired. What has not expired stays in any case.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    dry_run = forms.BooleanField(label="Dry run: list what would go and what stays, and stop there", required=False)
    field_order = ("older_than", "reason", "dry_run")


class ExpiryForm(ReasonForm):
    expires = forms.DateField(label="Keep until", widget=DAY, validators=[MaxValueValidator(LAST)])
    field_order = ("expires", "reason")

    def until(self) -> datetime:
        return days.end(self.cleaned_data["expires"])


def _offer(form: forms.BaseForm, name: str, choices: list[tuple[str, str]]) -> None:
    cast(forms.ChoiceField, form.fields[name]).choices = choices
