"""Logging in and out: a trace of who came in and who was turned away, and a limit on guessing.

Wrong passwords hold off a name's logins from one network only, so that nobody locks somebody else out from afar; many
of them, for whatever names, hold off the network. A name that is nobody's is held off as well: who guesses does not
learn from it which accounts there are.
"""

from datetime import timedelta
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from approvals import confirming
from audit import circumstances
from audit.models import Event
from audit.transitions import record, write

MOST_WRONG = 10  # of one name from one network
MOST_WRONG_OF_ALL = 100  # from one network
WITHIN = timedelta(minutes=15)
NOTED_EVERY = timedelta(minutes=1)  # that a name is held off: else whoever asks fills the trail for good
REFUSED, LOGIN_HELD_OFF = "login refused", "login held off"
HELD_OFF = "held off"


class LoginForm(AuthenticationForm):
    """One guess of an account at a time (in a transaction; who writes about the account waits for none); while they are
    held off, no password is looked at."""

    def clean(self) -> dict[str, Any]:
        name = self.cleaned_data.get("username", "")
        User.objects.select_for_update(no_key=True).filter(username=name).first()
        if _too_many(name):
            raise ValidationError("Too many wrong passwords from here. Wait 15 min, then try again.", code=HELD_OFF)
        return super().clean()


class Login(LoginView):
    """Django's, with a trace and the limit."""

    form_class = LoginForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        confirming.note_login(self.request.session, timezone.now())
        record(form.get_user(), "logged in", form.get_user())
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The name only where it is somebody's: people type their password there."""
        name, held_off = form.cleaned_data.get("username", ""), form.has_error("__all__", HELD_OFF)
        known = User.objects.filter(username=name).first()
        subject, detail = f"user:{known.pk if known else 'unknown'}", {"name": known.get_username()} if known else {}
        if not held_off:
            write(None, REFUSED, subject, {**detail, **_guess(name)}, result=Event.Result.REFUSED)
        elif not _guesses(NOTED_EVERY, action=LOGIN_HELD_OFF, detail__guess=_mark(name)).exists():
            write(None, LOGIN_HELD_OFF, subject, {**detail, **_guess(name)}, result=Event.Result.REFUSED)
        return self.render_to_response(self.get_context_data(form=form), status=429 if held_off else 200)


class Logout(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if isinstance(request.user, User):
            record(request.user, "logged out", request.user)
        return super().post(request, *args, **kwargs)


def _mark(name: str) -> str:
    """Tells names apart as far as a limit needs it, and too short to tell what somebody has typed."""
    return salted_hmac("restage.logins", name).hexdigest()[:4]


def _guess(name: str) -> dict[str, str]:
    """What the trail keeps of a guess, for the limits."""
    return {"guess": _mark(name), "network": circumstances.current().network}


def _guesses(within: timedelta, **of: str) -> QuerySet[Event]:
    """Of the last minutes, from this network."""
    found = Event.objects.filter(detail__network=circumstances.current().network, at__gt=timezone.now() - within)
    return found.filter(**of).order_by()


def _too_many(name: str) -> bool:
    """Wrong passwords: of the name, or of all."""
    wrong = _guesses(WITHIN, action=REFUSED)
    of_name = wrong.filter(detail__guess=_mark(name)).count()
    return of_name >= MOST_WRONG or wrong.count() >= MOST_WRONG_OF_ALL
