"""Whether the settings name roles that there are."""

from django.conf import settings
from django.core.checks import CheckMessage, Error

from access import rights


def roles(**_more: object) -> list[CheckMessage]:
    """The role that requests go to when nobody decides."""
    if settings.ESCALATE_TO in rights.ROLES:
        return []
    return [Error(f"RESTAGE_ESCALATE_TO is {settings.ESCALATE_TO!r}; it must be one of {', '.join(rights.ROLES)}.")]
