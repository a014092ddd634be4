"""On whose behalf a command acts: a named console user, never a hidden one."""

import getpass

from django.contrib.auth.models import User

from access import rights


def of_shell(name: str | None) -> User:
    """The user `name`, or the one named like the operating system's account.

    Whoever has this shell has the databases too, so a user of that name is made where there is none: an operator
    and archive admin without a password, who cannot log in.
    """
    user, made = User.objects.get_or_create(username=name or getpass.getuser())
    if made:
        user.set_unusable_password()
        user.save()
        rights.give(user, ["operator", "archive admin"])
    return user
