"""On whose behalf a command acts: a named console user, never a hidden one."""

import getpass

from django.contrib.auth.models import User

from access import rights
from audit.transitions import SYSTEM


def of_shell(name: str | None) -> User:
    """The user `name`, or the one named like the operating system's account.

    Whoever has this shell has the databases too, so a user of that name is made where there is none: an operator
    without a password, who cannot log in.
    """
    user, made = User.objects.get_or_create(username=name or getpass.getuser())
    if made:
        user.set_unusable_password()
        user.save()
        rights.give(user, ["operator"])
    return user


def restage() -> User:
    """On whose behalf Restage asks for what it does by the clock: without a role, and nobody can log in as it."""
    user, _made = User.objects.get_or_create(username=SYSTEM, defaults={"is_active": False, "password": "!"})
    return user
