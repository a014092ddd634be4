"""Who decides on a job or on the rules, or reviews an emergency, proves who they are: by a login of the last minutes,
or by their password typed again.

Wrong passwords hold off this account's confirmations from this network only: nobody else, and no other machine of
theirs, is locked out.
"""

from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction

from audit import circumstances
from audit.models import Event
from audit.transitions import record

KEY = "authenticated_at"
MOST_WRONG = 5
WITHIN = timedelta(minutes=15)
SPARE = timedelta(seconds=60)  # for reading and writing: who has less left is asked beforehand
WRONG = "confirmation refused"


class NotConfirmedError(RuntimeError):
    """Nobody knows that it is them; the message says what to do. Nothing was decided."""


def note_login(session: SessionBase, now: datetime) -> None:
    """From now on the session counts as proof for some minutes."""
    session[KEY] = now.timestamp()


def needed(session: SessionBase, now: datetime, *, spare: timedelta = SPARE) -> bool:
    """Whether the password is asked for again."""
    try:
        proven = datetime.fromtimestamp(float(session.get(KEY, 0)), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return True
    return not now - timedelta(minutes=settings.CONFIRM_MINUTES) + spare < proven <= now


def confirm(user: User, session: SessionBase, password: str, *, now: datetime) -> None:
    """Raises NotConfirmedError."""
    if not password and not needed(session, now, spare=timedelta()):
        return
    why = _wrong(user, password, now)
    if why:
        raise NotConfirmedError(why)
    note_login(session, now)


def _wrong(user: User, password: str, now: datetime) -> str:
    """Why the password is no proof ("": it is), written down. One guess of an account at a time."""
    if not password:
        return f"Your login is older than {settings.CONFIRM_MINUTES:g} min. Type your password to show that it is you."
    network = circumstances.current().network
    with transaction.atomic():
        known = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        wrong = Event.objects.filter(actor=known, action=WRONG, detail__network=network, at__gt=now - WITHIN)
        if wrong.count() >= MOST_WRONG:
            record(known, "confirmation held off", known, result=Event.Result.REFUSED)
            return "Too many wrong passwords from here. Wait 15 min, or ask somebody else to decide."
        if known.check_password(password):
            record(known, "identity confirmed", known)
            return ""
        detail = {"wrong in a row": wrong.count() + 1, "network": network}
        record(known, WRONG, known, detail, result=Event.Result.REFUSED)
    return "That is not your password. Nothing was decided."
