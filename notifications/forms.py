"""Forms of notifications."""

from typing import Any

from django import forms

from access import rights
from audit.reasons import SaidField
from notifications import channels
from notifications.choices import Way
from notifications.models import Channel, Topic


class ChannelForm(forms.Form):
    """A new channel, or another name and address of one (`known`). `taken`: what was filled in, where another channel
    has the name."""

    name = SaidField(label="Name", max_length=60, help_text="As people see it where they choose.")
    form = forms.ChoiceField(label="Kind", choices=Channel.Form.choices)
    address = forms.CharField(
        label="Address",
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="It is kept encrypted and never shown again.",
    )

    def __init__(self, data: Any, known: Channel | None = None) -> None:
        super().__init__(data, initial={"name": known.name} if known else None)
        self.known = known
        self.taken: dict[str, str] = {}
        if known:
            del self.fields["form"]
            self.fields["address"].required = False
            self.fields["address"].help_text = f"Now {known.shown}. Leave it empty to keep it."

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        alike = Channel.objects.filter(name__iexact=given.get("name", ""))
        if (alike.exclude(pk=self.known.pk) if self.known else alike).exists():
            self.refuse_name("There is a channel of this name.")
        form, address = self.known.form if self.known else given.get("form"), given.get("address")
        if form and address and (wrong := channels.problem(form, address)):
            self.add_error("address", wrong)
        return given

    def refuse_name(self, why: str) -> None:
        """Another channel has the name."""
        self.taken = {name: str(self.cleaned_data.get(name, "")) for name in ("name", "address")}
        self.add_error("name", why)


class RouteForm(forms.Form):
    topics = forms.MultipleChoiceField(label="Tell of", choices=Topic.choices, widget=forms.CheckboxSelectMultiple)
    role = forms.ChoiceField(
        label="Group",
        required=False,
        choices=[("", "Who reads the channel"), *((role, f"Every {role}") for role in rights.ROLES)],
        help_text="For email and the inbox; a shared channel is told once.",
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.channels = {str(c.pk): c for c in Channel.objects.exclude(state=Channel.State.RETIRED)}
        named = [(pk, channel.name) for pk, channel in self.channels.items()]
        self.fields["channel"] = forms.ChoiceField(label="By", required=False, choices=[("", "Inbox"), *named])

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        channel = self.channels.get(given.get("channel", ""))
        shared = channel is not None and not channel.personal
        if shared and given.get("role"):
            self.add_error("role", f"{channel} is read by many: it is told once, not for a group.")
        elif not shared and not given.get("role"):
            self.add_error("role", "Choose whom it is for: the inbox and mail reach one person each.")
        return {**given, "channel": channel}


class ChoiceForm(forms.Form):
    """Topic × way, and where mail goes."""

    email = forms.EmailField(label="Your mail address", required=False, max_length=254)
    of_others = forms.BooleanField(label="Also about jobs that others have asked for", required=False)

    def __init__(self, data: Any, ways: list[Way], initial: dict[str, Any]) -> None:
        super().__init__(data, initial=initial)
        self.ways = ways

    def wanted(self) -> dict[str, list[int]]:
        """The boxes that are ticked: "topic:way"."""
        ticked = set(self.data.getlist("wanted")) if hasattr(self.data, "getlist") else set()
        return {t: [way.id for way in self.ways if f"{t}:{way.id}" in ticked] for t in Topic.values}
