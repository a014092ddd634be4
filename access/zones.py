"""In which time zone somebody reads: their own where they have chosen one, else the console's."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from access.models import OwnZone


def console() -> ZoneInfo:
    """The zone of the console: of its days, its mails and whoever has chosen none."""
    return ZoneInfo(settings.TIME_ZONE)


def named(name: str) -> ZoneInfo | None:
    """The zone of this name, None where there is none."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def current() -> str:
    """The name of the zone in which this page is told."""
    return str(timezone.get_current_timezone())


def choice(user: User) -> str | None:
    """What an account has chosen: a name, "" for the console's zone whichever that is, None for nothing yet."""
    return OwnZone.objects.filter(pk=user.pk).values_list("name", flat=True).first()


def of(user: User) -> ZoneInfo:
    """A name that no longer stands for a zone counts as none."""
    return named(choice(user) or "") or console()


def choose(user: User, name: str) -> None:
    OwnZone.objects.update_or_create(user=user, defaults={"name": name})
