"""What people fill in of schedules, triggers and blackout windows."""

from typing import Any, cast

from django import forms
from django.contrib.auth.models import User

from audit.reasons import SaidField
from jobs.weekly_form import WeeklyForm
from jobs.zone_field import ZoneField
from reprocessing import askers, rule_kinds, slots
from reprocessing.asking_models import Blackout, Schedule, Trigger
from reprocessing.blackouts import InForce
from reprocessing.forms import offer, offer_extracts
from reprocessing.schedules import MOST_CAUGHT_UP
from reprocessing.slots import NoScheduleError

OWNER_HELP = "It asks on their behalf, by their right at that time. Neither they nor who writes this approves its jobs."


def _offer_owners(form: forms.BaseForm) -> None:
    cast("forms.ModelChoiceField[User]", form.fields["owner"]).queryset = askers.possible_owners()


class ScheduleForm(forms.ModelForm):  # type: ignore[type-arg]  # the stubs' class is generic, Django's is not
    zone = ZoneField()

    class Meta:
        model = Schedule
        fields = ["name", "expression", "zone", "owner", "overlap", "catch_up", "catch_up_most", "dry_run"]
        labels = {
            "expression": "When (cron)",
            "overlap": "Where its last job is still active",
            "catch_up": "Of the times when no watcher ran, make up for",
            "catch_up_most": "At most (of each of them)",
            "dry_run": "Dry run: show what would change, and stop there",
        }
        help_texts = {
            "expression": "Minute, hour, day of the month, month, day of the week: 30 2 * * MON-FRI",
            "owner": OWNER_HELP,
        }
        widgets = {"overlap": forms.RadioSelect, "catch_up": forms.RadioSelect}
        error_messages = {"name": {"unique": "There is a schedule of this name already."}}

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        _offer_owners(self)

    def clean_catch_up_most(self) -> int:
        most: int = self.cleaned_data["catch_up_most"]
        if not 1 <= most <= MOST_CAUGHT_UP:
            raise forms.ValidationError(f"A number from 1 to {MOST_CAUGHT_UP} is needed.")
        return most

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if "expression" in found and "zone" in found:
            try:
                slots.check(found["expression"], found["zone"])
            except NoScheduleError as error:
                self.add_error("expression", str(error))
        return found


class TriggerForm(forms.ModelForm):  # type: ignore[type-arg]  # the stubs' class is generic, Django's is not
    kind = forms.ChoiceField(label="When", widget=forms.RadioSelect)
    extract = forms.ChoiceField(label="Extract", required=False)
    threshold = forms.FloatField(
        label="Limit (% of the records read)",
        required=False,
        min_value=0,
        max_value=100,
        help_text="For the reject rate: more than this. Of no record read, any that is refused counts as 100 %.",
    )

    class Meta:
        model = Trigger
        fields = ["name", "kind", "threshold", "extract", "quiet", "cooldown", "budget", "owner", "dry_run"]
        labels = {
            "quiet": "Quiet time (s)",
            "cooldown": "Cooldown (s)",
            "budget": "Jobs an hour, at most",
            "dry_run": "Dry run: show what would change, and stop there",
        }
        help_texts = {
            "quiet": "It waits until nothing more of that extract was seen for so long, then asks once for all.",
            "cooldown": "After a job of an extract, what is seen of that extract for so long is left out.",
            "owner": OWNER_HELP,
        }
        error_messages = {"name": {"unique": "There is a trigger of this name already."}}

    def __init__(self, *args: Any, extracts: list[str], **more: Any) -> None:
        super().__init__(*args, **more)
        offer(self, "kind", [(kind.name, f"{kind.title}. {kind.told}") for kind in rule_kinds.known()])
        offer_extracts(self, extracts)
        _offer_owners(self)
        if self.instance.threshold is not None:
            self.initial["threshold"] = round(100 * self.instance.threshold, 6)

    def clean_threshold(self) -> float | None:
        percent: float | None = self.cleaned_data["threshold"]
        return None if percent is None else percent / 100

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        needed = bool(found.get("kind")) and bool(rule_kinds.of(found["kind"]).threshold)
        if needed and found.get("threshold") is None and "threshold" not in self.errors:
            self.add_error("threshold", "This rule needs its limit.")
        if not needed:
            found["threshold"] = None
        for name, least, most in (("quiet", 0, 86_400), ("cooldown", 0, 604_800), ("budget", 1, 1_000)):
            if name in found and not least <= found[name] <= most:
                self.add_error(name, f"A number from {least:,} to {most:,} is needed.")
        return found


class BlackoutForm(WeeklyForm):
    reason = SaidField(label="Reason", max_length=200, help_text="Shown to everybody who asks for a job meanwhile.")

    def blackout(self) -> Blackout:
        """Of a valid form: the blackout, not kept yet."""
        return Blackout(reason=self.cleaned_data["reason"], **self.times())


class PastBlackoutForm(forms.Form):
    """Beside a form that asks for a job, while a blackout window is open (`open_now`)."""

    past_blackout = forms.CharField(
        label="Why it cannot wait",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Kept in the trail and shown on the job.",
    )

    def __init__(self, data: Any, open_now: InForce | None) -> None:
        super().__init__(data)
        self.open_now = open_now

    def reason(self) -> str:
        """Empty where nothing is filled in; what cannot be text is nothing."""
        return str(self.cleaned_data.get("past_blackout", "")).strip() if self.is_valid() else ""
