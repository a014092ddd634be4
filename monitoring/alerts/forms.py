"""What people fill in of rules, downtimes and alerts."""

from datetime import timedelta
from typing import Any

from django import forms

from jobs.moment_field import MomentField
from monitoring.alerts.judging import Limit
from monitoring.alerts.metrics import BY_NAME, METRICS
from monitoring.alerts.models import Downtime, Rule
from warehouse import registry

MOST = 50  # of x, y and recover
HUGE = 1e15
UNITS = {"seconds": 3600.0, "share": 0.01, "": 1.0, "flag": 1.0}  # what people enter: hours, percent, a number


def _extracts() -> list[tuple[str, str]]:
    return [("", "Any"), *((name, name) for name in registry.current().names)]


class RuleForm(forms.Form):
    name = forms.CharField(label="Name", max_length=80, help_text="What it says, in a few words.")
    metric = forms.ChoiceField(label="What is measured", choices=[(one.name, one.title) for one in METRICS])
    extract = forms.ChoiceField(label="Of which extract", required=False, choices=_extracts)
    side = forms.ChoiceField(
        label="It alerts when the value is", choices=[("above", "more than"), ("below", "less than")], initial="above"
    )
    threshold = forms.FloatField(label="Hours, percent or number", min_value=0, max_value=HUGE)
    relative = forms.BooleanField(
        label="Times what is usual",
        required=False,
        help_text="The 95th percentile of the values before, of the same extract or kind; of 10 values at least.",
    )
    x = forms.IntegerField(label="For so many", min_value=1, max_value=MOST, initial=1)
    y = forms.IntegerField(label="Of the last", min_value=1, max_value=MOST, initial=1)
    recover = forms.IntegerField(
        label="It is over after so many good ones in a row", min_value=1, max_value=MOST, initial=1
    )
    severity = forms.ChoiceField(
        label="How bad", choices=Rule.Severity.choices, widget=forms.RadioSelect, initial="warning"
    )
    every = forms.BooleanField(label="Tell each further case while the alert is open", required=False)
    todo = forms.CharField(label="What to do then", max_length=300, required=False, help_text="It is in the message.")

    def __init__(self, data: Any, known: Rule | None = None) -> None:
        super().__init__(data, initial=_as_filled(known) if known else None)
        self.known = known

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        taken = Rule.objects.filter(name__iexact=name)
        if (taken.exclude(pk=self.known.pk) if self.known else taken).exists():
            raise forms.ValidationError("There is a rule of this name.")
        return name

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        metric = BY_NAME.get(given.get("metric", ""))
        if given.get("x", 1) > given.get("y", 1):
            self.add_error("x", "It cannot be more than it is of.")
        if metric and given.get("relative") and not metric.facts:
            self.add_error("relative", "Of this no history is kept that it could be compared with.")
        if metric and metric.scope != "extract" and given.get("extract") and not metric.name.startswith("job"):
            self.add_error("extract", "This is not measured for an extract.")
        return given

    @property
    def limit(self) -> Limit:
        """Of a valid form."""
        given = self.cleaned_data
        factor = 1.0 if given["relative"] else UNITS[BY_NAME[given["metric"]].unit]
        shape = {name: given[name] for name in ("relative", "x", "y", "recover")}
        return Limit(given["threshold"] * factor, above=given["side"] == "above", **shape)

    def fill(self, rule: Rule) -> Rule:
        """The rule as a valid form says."""
        limit, given = self.limit, self.cleaned_data
        for name in ("name", "metric", "extract", "severity", "every", "todo"):
            setattr(rule, name, given[name])
        rule.threshold, rule.above, rule.relative = limit.threshold, limit.above, limit.relative
        rule.x, rule.y, rule.recover = limit.x, limit.y, limit.recover
        return rule


def _as_filled(rule: Rule) -> dict[str, Any]:
    factor = 1.0 if rule.relative or rule.metric not in BY_NAME else UNITS[BY_NAME[rule.metric].unit]
    names = ("name", "metric", "extract", "relative", "x", "y", "recover", "severity", "every", "todo")
    filled = {name: getattr(rule, name) for name in names}
    return {**filled, "side": "above" if rule.above else "below", "threshold": round(rule.threshold / factor, 6)}


class DowntimeForm(forms.ModelForm):  # type: ignore[type-arg]  # the stubs' class is generic, Django's is not
    extract = forms.ChoiceField(label="Of which extract", required=False, choices=_extracts)
    begins = MomentField("From")
    ends = MomentField("To")

    class Meta:
        model = Downtime
        fields = ["extract", "begins", "ends", "reason"]
        labels = {"reason": "Why"}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        begins, ends = given.get("begins"), given.get("ends")
        if begins and ends and not timedelta() < ends - begins <= timedelta(days=31):
            self.add_error("ends", "It must be after the beginning, by 31 days at most.")
        return given


class ActForm(forms.Form):
    """What is said with an act on an alert; `hours` of a snooze."""

    words = forms.CharField(max_length=900, required=False)
    hours = forms.FloatField(min_value=0.1, max_value=720, required=False)
