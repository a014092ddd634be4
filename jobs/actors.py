"""On whose behalf a command acts: a named console user, never a hidden one."""

import getpass
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction

from access import persons, rights
from audit.models import Event
from audit.transitions import SYSTEM, record
from warehouse.errors import TellableError

MOST_NAMED = 20


class UnknownAccountError(TellableError):
    """Nobody of that name is known to the console. Nothing was done."""


class KnownAccountError(TellableError):
    """The name is taken already. Nothing was changed."""


def of_shell(name: str | None) -> User:
    """The user `name`, or the one named like the operating system's account.

    Whoever has this shell has the databases too, so a user named like the account is made where there is none: an
    operator and archive admin without a password, who cannot log in. Any other name must be known.

    Raises UnknownAccountError.
    """
    own = getpass.getuser()
    user = User.objects.filter(username=name or own).first()
    if user is None and name not in (None, own):
        raise UnknownAccountError(
            f"The console knows no account {name}. It knows {_known()}."
            f" `manage.py accounts add {name} --role operator` makes one. Nothing was done."
        )
    return user or add(own, ["operator", "archive admin"], by=None)


def _known() -> str:
    names = list(User.objects.filter(is_active=True).order_by("username").values_list("username", flat=True))
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more if names else "nobody yet"


def add(name: str, roles: Sequence[str], *, by: User | None) -> User:
    """Make an account with these roles and no password, so that nobody can log in as it yet.

    `by`: who makes it; None: it makes itself, at its first use. Raises KnownAccountError.
    """
    with transaction.atomic():
        user, made = User.objects.get_or_create(username=name)
        if not made:
            raise KnownAccountError(f"There is an account {name} already, {_told(user)}. Nothing was changed.")
        user.set_unusable_password()
        user.save(update_fields=["password"])
        rights.give(user, roles)
        record(by or user, "account made", user, {"roles": list(roles)})
    return user


def link(one: str, other: str, *, by: User) -> list[User]:
    """Note that two accounts are one person's: where distinct people are needed they count as one. Every account of
    that person. Raises UnknownAccountError."""
    users = [_known_account(one), _known_account(other)]
    with transaction.atomic():
        found = persons.link(*users)
        for user in users:
            record(by, "account linked", user, {"one person": [account.get_username() for account in found]})
    return found


def unlink(name: str, *, by: User) -> list[User]:
    """Note that an account is a person of its own again; those that it was one with. Raises UnknownAccountError."""
    user = _known_account(name)
    with transaction.atomic():
        others = persons.unlink(user)
        record(by, "account unlinked", user, {"was one person with": [other.get_username() for other in others]})
    return others


def _known_account(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise UnknownAccountError(f"The console knows no account {name}. It knows {_known()}. Nothing was done.")
    return user


def note_refusal(error: PermissionDenied) -> None:
    """Write in the trail that somebody was refused a right."""
    if isinstance(error, rights.NotAllowedError) and isinstance(error.user, User):
        record(error.user, "attempt refused", error.user, {"why": str(error)}, result=Event.Result.REFUSED)


def _told(user: User) -> str:
    return ", ".join(rights.roles_of(user)) or "without a role"


def restage() -> User:
    """On whose behalf Restage asks for what it does by the clock: without a role, and nobody can log in as it."""
    user, _made = User.objects.get_or_create(username=SYSTEM, defaults={"is_active": False, "password": "!"})
    return user
