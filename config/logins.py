"""Logging in and out: a trace of who came in and who was turned away, and a limit on guessing.

Wrong passwords hold off an account's logins from one address only, so that nobody locks somebody else out from afar;
many of them, for whatever accounts, hold off the address.
"""

from datetime import timedelta
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, LogoutView
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from approvals import confirming
from audit import circumstances
from audit.models import Event
from audit.transitions import record, write

MOST_WRONG = 10  # of one account from one address
MOST_WRONG_OF_ALL = 100  # from one address
WITHIN = timedelta(minutes=15)
REFUSED = "login refused"
HELD_OFF = "held off"


class LoginForm(AuthenticationForm):
    """One guess of an account at a time (in a transaction); while they are held off, no password is looked at."""

    def clean(self) -> dict[str, Any]:
        if _too_many(_known(self.cleaned_data.get("username", ""), lock=True)):
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
        known = _known(form.cleaned_data.get("username", ""))
        held_off = form.has_error("__all__", HELD_OFF)
        subject, detail = _subject(known), {"name": known.get_username()} if known else {}
        write(None, "login held off" if held_off else REFUSED, subject, detail, result=Event.Result.REFUSED)
        return self.render_to_response(self.get_context_data(form=form), status=429 if held_off else 200)


class Logout(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if isinstance(request.user, User):
            record(request.user, "logged out", request.user)
        return super().post(request, *args, **kwargs)


def _known(name: str, *, lock: bool = False) -> User | None:
    known = User.objects.select_for_update() if lock else User.objects.all()
    return known.filter(username=name).first()


def _subject(known: User | None) -> str:
    return f"user:{known.pk}" if known else "user:unknown"


def _too_many(known: User | None) -> bool:
    """Wrong passwords of the last minutes from this address: of the account, or of all."""
    since, address = timezone.now() - WITHIN, circumstances.current().address
    wrong = Event.objects.filter(action=REFUSED, address=address, at__gt=since).order_by()
    of_account = wrong.filter(subject=_subject(known)).count() if known else 0
    return of_account >= MOST_WRONG or wrong.count() >= MOST_WRONG_OF_ALL
