"""What people fill in of an approval rule."""

import re
from collections.abc import Iterable
from datetime import time
from typing import Any, cast

from django import forms
from django.conf import settings

from access import rights
from approvals.policy import Stage
from approvals.rule_terms import (
    ASK,
    LONGEST_NAME,
    MOST_APPROVALS,
    MOST_HOURS,
    MOST_STAGES,
    NO_APPROVAL,
    REFUSE,
    Conditions,
    Outcome,
    Range,
    Rule,
    Summed,
)
from approvals.time_of_week import TimeOfWeek
from audit.reasons import SaidField
from jobs import kinds
from jobs.weekly_form import WallTimeField, WeekdaysField
from jobs.zone_field import ZoneField
from warehouse import registry

MOST = 10**12
STAGES = range(1, MOST_STAGES + 1)
WORD = re.compile(r"[a-z0-9-]{1,40}")


def _number(label: str, hint: str = "") -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=0, max_value=MOST, help_text=hint)


def _minutes(label: str, hint: str = "") -> forms.FloatField:
    return forms.FloatField(label=label, required=False, min_value=0, max_value=10**6, help_text=hint)


def _some(label: str, hint: str = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(label=label, required=False, help_text=hint, widget=forms.CheckboxSelectMultiple)


class RuleForm(forms.Form):
    """Conditions that are left empty say nothing; all that are filled in must hold."""

    name = SaidField(label="Name", max_length=LONGEST_NAME)
    records_over = _number("More records than")
    records_up_to = _number("No more records than")
    minutes_over = _minutes("Longer than (minutes)", "The estimate below which nine of ten such jobs stay.")
    minutes_up_to = _minutes("No longer than (minutes)")
    sum_over = _number("More records in many jobs than", "Of the same person, as far as nobody had to approve them.")
    sum_hours = forms.IntegerField(label="within (hours)", required=False, min_value=1, max_value=MOST_HOURS)
    destructive = forms.ChoiceField(
        label="Destructive",
        required=False,
        choices=[("", "Whether or not"), ("yes", "Destructive"), ("no", "Not destructive")],
        widget=forms.RadioSelect,
        help_text="It takes published rows back, overwrites newer ones, or removes what is kept.",
    )
    kinds = _some("Kind of job", "None ticked: any.")
    tables = _some("Table", "None ticked: any. A rule without approval needs all of the job's tables to be ticked.")
    extracts = _some("Extract", "None ticked: any. A rule without approval needs all of the job's extracts.")
    roles = _some("Asked for by", "None ticked: anybody.")
    environments = forms.CharField(
        label="Environment",
        required=False,
        max_length=200,
        help_text="Words with commas between them, as RESTAGE_ENVIRONMENT says it.",
    )
    weekdays = WeekdaysField(required=False)
    begins = WallTimeField("From", required=False)
    ends = WallTimeField("To", "Not after its beginning: it ends on the next day.", required=False)
    zone = ZoneField(required=False)
    act = forms.ChoiceField(
        label="What follows",
        choices=[
            (ASK, "It needs approvals"),
            (NO_APPROVAL, "It needs no approval"),
            (REFUSE, "It is refused"),
        ],
        widget=forms.RadioSelect,
    )
    order = forms.ChoiceField(
        label="Several stages are open",
        choices=[("sequence", "one after the other"), ("once", "all at once")],
        widget=forms.RadioSelect,
    )
    words = SaidField(
        label="Why it is refused",
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Where it is refused: whoever asked reads it. Say what they can do instead.",
    )

    def __init__(self, data: Any = None, *, rule: Rule | None = None) -> None:
        super().__init__(data, initial=_filled(rule) if rule else {**_EMPTY, "zone": settings.TIME_ZONE})
        self.rule = rule
        for number in STAGES:
            self.fields[f"approvals_{number}"] = forms.IntegerField(
                label="Approvals", required=False, min_value=1, max_value=MOST_APPROVALS
            )
            self.fields[f"groups_{number}"] = _some("by different people who are")
            self._offer(f"groups_{number}", rights.having(rights.DECIDE))
        extracts = registry.current().extracts
        titles = {kind.name: kind.title for kind in kinds.known()}
        self._offer("kinds", [*titles, *self._named("kinds")], titles)
        self._offer("tables", sorted({*(extract.table for extract in extracts), *self._named("tables")}))
        self._offer("extracts", sorted({*(extract.name for extract in extracts), *self._named("extracts")}))
        self._offer("roles", rights.ROLES)

    def _named(self, name: str) -> tuple[str, ...]:
        """What the rule names already: it can be kept though it is not there any more."""
        return getattr(self.rule.conditions, name) if self.rule else ()

    def _offer(self, name: str, words: Iterable[str], titles: dict[str, str] | None = None) -> None:
        field = cast(forms.MultipleChoiceField, self.fields[name])
        field.choices = [(word, (titles or {}).get(word, word)) for word in dict.fromkeys(words)]

    @property
    def stages(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The fields of each stage."""
        return [(self[f"approvals_{number}"], self[f"groups_{number}"]) for number in STAGES]

    def clean_environments(self) -> tuple[str, ...]:
        words = [word.strip() for word in self.cleaned_data["environments"].split(",") if word.strip()]
        if wrong := [word for word in words if not WORD.fullmatch(word)]:
            raise forms.ValidationError(f"{wrong[0][:40]} is no word in small letters, like production.")
        return tuple(words)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        for low, high in (("records_over", "records_up_to"), ("minutes_over", "minutes_up_to")):
            if found.get(low) is not None and found.get(high) is not None and found[low] >= found[high]:
                self.add_error(high, "Nothing is more than the one and no more than the other.")
        if (found.get("sum_over") is None) != (found.get("sum_hours") is None) and "sum_hours" not in self.errors:
            self.add_error("sum_hours", "A sum needs both: how many records, and within how many hours.")
        self._demand_window(found)
        self._demand_outcome(found)
        return found

    def _demand_window(self, found: dict[str, Any]) -> None:
        given = [name for name in ("weekdays", "begins", "ends") if found.get(name) not in (None, [], "")]
        if given and not set(given) & set(self.errors):
            for name in {"weekdays", "begins", "ends", "zone"} - {*given, *self.errors}:
                if not found.get(name) and found.get(name) != time(0):
                    self.add_error(name, "A time window needs its days, both times and a zone.")

    def _demand_outcome(self, found: dict[str, Any]) -> None:
        act = found.get("act")
        if act == REFUSE and not str(found.get("words", "")).strip():
            self.add_error("words", "Say why it is refused.")
        for number in STAGES:
            needed, groups = found.get(f"approvals_{number}"), found.get(f"groups_{number}")
            if act == ASK and needed and not groups and f"groups_{number}" not in self.errors:
                self.add_error(f"groups_{number}", "Say whose approvals count.")
            if act == ASK and groups and not needed and f"approvals_{number}" not in self.errors:
                self.add_error(f"approvals_{number}", "Say how many approvals are needed.")
        if act == ASK and not any(found.get(f"approvals_{number}") for number in STAGES) and not self.errors:
            self.add_error("approvals_1", "Say how many approvals are needed, and whose.")

    def made(self) -> Rule:
        """The rule that was filled in; of a new one the key is still to be made. Of a valid form only."""
        found = self.cleaned_data
        return Rule(
            self.rule.key if self.rule else "new",
            found["name"].strip(),
            _outcome(found),
            Conditions(
                records=_range(found["records_over"], found["records_up_to"]),
                seconds=_range(_seconds(found["minutes_over"]), _seconds(found["minutes_up_to"])),
                summed=None if found["sum_over"] is None else Summed(found["sum_over"], found["sum_hours"]),
                destructive={"yes": True, "no": False}.get(found["destructive"]),
                kinds=tuple(found["kinds"]),
                tables=tuple(found["tables"]),
                extracts=tuple(found["extracts"]),
                roles=tuple(found["roles"]),
                environments=found["environments"],
                window=_window(found),
            ),
        )


_EMPTY = {"destructive": "", "act": ASK, "order": "sequence", "approvals_1": 1}


def _outcome(found: dict[str, Any]) -> Outcome:
    if found["act"] == REFUSE:
        return Outcome(REFUSE, words=found["words"].strip())
    if found["act"] == NO_APPROVAL:
        return Outcome(NO_APPROVAL)
    stages = tuple(
        Stage(tuple(found[f"groups_{number}"]), found[f"approvals_{number}"])
        for number in STAGES
        if found[f"approvals_{number}"]
    )
    return Outcome(ASK, stages, found["order"] == "sequence")


def _range(over: float | None, up_to: float | None) -> Range | None:
    return None if over is None and up_to is None else Range(over, up_to)


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else round(minutes * 60, 3)


def _window(found: dict[str, Any]) -> TimeOfWeek | None:
    if not found["weekdays"]:
        return None
    return TimeOfWeek(tuple(found["weekdays"]), f"{found['begins']:%H:%M}", f"{found['ends']:%H:%M}", found["zone"])


def _filled(rule: Rule) -> dict[str, Any]:
    """The rule as its form shows it."""
    found, outcome, window = rule.conditions, rule.outcome, rule.conditions.window
    shown: dict[str, Any] = {
        "name": rule.name,
        "act": outcome.act,
        "order": "sequence" if outcome.in_sequence else "once",
        "words": outcome.words,
        "destructive": {True: "yes", False: "no", None: ""}[found.destructive],
        "environments": ", ".join(found.environments),
        "zone": window.zone if window else settings.TIME_ZONE,
        **{name: list(getattr(found, name)) for name in ("kinds", "tables", "extracts", "roles")},
    }
    if found.records:
        shown |= {"records_over": found.records.over, "records_up_to": found.records.up_to}
    if found.seconds:
        shown |= {"minutes_over": _in_minutes(found.seconds.over), "minutes_up_to": _in_minutes(found.seconds.up_to)}
    if found.summed:
        shown |= {"sum_over": found.summed.over, "sum_hours": found.summed.hours}
    if window:
        shown |= {"weekdays": list(window.weekdays), "begins": window.begins, "ends": window.ends}
    for number, stage in enumerate(outcome.stages, start=1):
        shown |= {f"approvals_{number}": stage.approvals, f"groups_{number}": list(stage.groups)}
    return shown


def _in_minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 3)
