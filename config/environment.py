"""What may stand in the environment: a wrong setting is told in one line before anything starts."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from config import databases

URL = "a URL like postgresql://USER:PASSWORD@HOST:5432/DATABASE"


@dataclass(frozen=True)
class Setting:
    """`allowed`: what it may be, in words. A value that is `secret` (it may hold a password) is never shown."""

    name: str
    allowed: str
    fits: Callable[[str], bool]
    secret: bool = False

    def complaint(self, value: str) -> str:
        said = "cannot be used" if self.secret else f"is {value[:60]!r}"
        return f"{self.name} {said}; it must be {self.allowed}. Nothing was started."


def complaints(environ: Mapping[str, str]) -> list[str]:
    """One line for each setting that is there and cannot be meant."""
    there = ((setting, environ.get(setting.name)) for setting in SETTINGS)
    return [setting.complaint(value) for setting, value in there if value is not None and not setting.fits(value)]


def _whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= 64


def _number(low: float, high: float) -> Callable[[str], bool]:
    def fits(text: str) -> bool:
        with suppress(ValueError):
            return low <= float(text) <= high
        return False

    return fits


def _zone(text: str) -> bool:
    with suppress(ValueError, OSError, LookupError):
        return bool(text) and ZoneInfo(text) is not None
    return False


def _url(text: str) -> bool:
    with suppress(ValueError):
        parts = urlsplit(text)
        return parts.scheme in ("postgresql", "postgres") and bool(parts.path.strip("/")) and parts.port != 0
    return False


SETTINGS = (
    Setting("RESTAGE_WORKERS", "a whole number from 1 to 64", _whole),
    Setting("RESTAGE_LEASE_SECONDS", "a number of seconds from 1 to 86400", _number(1, 86_400)),
    Setting("RESTAGE_BEFORE_IMAGE_DAYS", "a number of days from 0 to 36500", _number(0, 36_500)),
    Setting("RESTAGE_CLEANUP_ROWS", "a whole number of rows", str.isdecimal),
    Setting("RESTAGE_CLEANUP_MB", "a number of megabytes from 0 to 1000000000", _number(0, 1e9)),
    Setting("RESTAGE_BACKUPS", "on or off", ("on", "off").__contains__),
    Setting("RESTAGE_BACKUP_HOURS", "a number of hours from 0.1 to 8760", _number(0.1, 8760)),
    Setting("RESTAGE_BACKUP_DAYS", "a number of days from 1 to 3650", _number(1, 3650)),
    Setting("RESTAGE_DRILL_DAYS", "a number of days from 0 (no drills) to 3650", _number(0, 3650)),
    Setting("RESTAGE_TIME_ZONE", "the name of a time zone, like Pacific/Auckland or UTC", _zone),
    Setting(databases.CONSOLE_URL, URL, _url, secret=True),
    Setting(databases.WAREHOUSE_URL, URL, _url, secret=True),
)
