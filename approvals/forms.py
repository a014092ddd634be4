"""What people fill in about requests."""

from typing import Any

from django import forms

from approvals.breaking_glass import LEAST_LETTERS
from approvals.models import Window
from audit.reasons import SaidField
from jobs.weekly_form import WallTimeField, WeekdaysField, WeeklyForm

AT_ONCE = "At once"
ASKED_AGAIN = "Asked again, as your login is some minutes old."


def _password(**more: Any) -> forms.CharField:
    return forms.CharField(
        label="Your password",
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        **more,
    )


class DecisionForm(forms.Form):
    """`digest`: of the plan that was read. The password is asked for where the login is not of the last minutes."""

    digest = forms.CharField(widget=forms.HiddenInput)
    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("changes", "Ask for changes"), ("reject", "Reject")])
    reason = SaidField(
        label="Note to the person who asked",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Needed for a rejection and to ask for changes. Name no patient.",
    )
    window = forms.ModelChoiceField(Window.objects.all(), label="It begins", required=False, empty_label=AT_ONCE)
    password = _password(required=False, help_text=ASKED_AGAIN)


class RulesDecisionForm(forms.Form):
    """`digest`: of the proposed rules that were read. The password as in a decision about a job."""

    digest = forms.CharField(widget=forms.HiddenInput)
    verdict = forms.ChoiceField(choices=[("accept", "Put in force"), ("back", "Send back")])
    note = SaidField(
        label="Note to its authors",
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Needed to send it back.",
    )
    password = _password(required=False, help_text=ASKED_AGAIN)


class CommentForm(forms.Form):
    text = SaidField(
        label="Comment",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Everybody who follows this job reads it. Name no patient.",
        error_messages={"required": "Write something first."},
    )


class WithdrawalForm(forms.Form):
    reason = SaidField(label="Why", max_length=500, required=False)


class EmergencyForm(forms.Form):
    digest = forms.CharField(widget=forms.HiddenInput)
    reason = SaidField(
        label="What cannot wait, and why",
        min_length=LEAST_LETTERS,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"At least {LEAST_LETTERS} letters. Everybody who decides on approvals reads it. Name no patient.",
        error_messages={"required": "Say what cannot wait."},
    )
    token = forms.CharField(
        label="Code of your second factor",
        max_length=16,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text"}),
        help_text="Six digits of your authenticator app, or one of your recovery codes.",
        error_messages={"required": "Without the second factor nothing is let through."},
    )


class ReviewForm(forms.Form):
    verdict = forms.ChoiceField(
        label="Was it an emergency?",
        choices=[("justified", "Yes, it was justified"), ("not justified", "No, it was not")],
        widget=forms.RadioSelect,
    )
    note = SaidField(
        label="What you found",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say what you found."},
    )
    password = _password(required=False, help_text=ASKED_AGAIN)


class EnrolForm(forms.Form):
    """`token`: of the new device. `former`: of the one that is there already."""

    token = forms.CharField(
        label="Code that the app shows now",
        max_length=10,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    former = forms.CharField(
        label="Code of the second factor that you have now, or a recovery code", max_length=16, required=False
    )
    password = _password()


class WindowForm(WeeklyForm):
    field_order = ("name",)
    name = SaidField(label="Name", max_length=60)
    weekdays = WeekdaysField("Opens on")
    ends = WallTimeField("To", "Not after its beginning: it closes on the next day.")

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if Window.objects.filter(name__iexact=name).exists():
            raise forms.ValidationError("There is a change window of this name already.")
        return name

    def window(self) -> Window:
        """Of a valid form: the window, not kept yet."""
        return Window(name=self.cleaned_data["name"], **self.times())
