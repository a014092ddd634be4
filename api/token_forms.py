"""What people fill in to make a token."""

from django import forms

from api.models import NAME_LETTERS, Token
from api.tokens import MOST_DAYS


class TokenForm(forms.Form):
    name = forms.RegexField(
        r"^[\w .:@/+-]+$",
        label="Name",
        max_length=NAME_LETTERS,
        help_text="Of the program. It stands in the trail beside your name.",
        error_messages={"invalid": "Letters, digits, spaces and . : @ / + - _ can be in it."},
    )
    scope = forms.ChoiceField(
        label="It may", choices=Token.Scope.choices, initial=Token.Scope.READ, widget=forms.RadioSelect
    )
    days = forms.IntegerField(
        label="Days until it expires",
        min_value=1,
        max_value=MOST_DAYS,
        initial=30,
        help_text=f"{MOST_DAYS} at most: then make a new one.",
    )
    password = forms.CharField(
        label="Your password",
        required=False,
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="Asked again, as your login is some minutes old.",
    )
