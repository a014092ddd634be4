"""What may stand in the environment: a wrong setting is told in one line before anything starts."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_network
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


def _token(text: str) -> bool:
    return len(text) >= 16 and text.isascii() and text.isprintable() and " " not in text


def _zone(text: str) -> bool:
    with suppress(ValueError, OSError, LookupError):
        return bool(text) and ZoneInfo(text) is not None
    return False


def _word(text: str) -> bool:
    return 0 < len(text) <= 40 and text.isascii() and text.replace("-", "").isalnum() and text == text.lower()


def _places(text: str) -> bool:
    """Absolute paths, file URLs, http and https URLs with a host."""
    with suppress(ValueError):
        parts = [urlsplit(one) for one in text.split()]
        return all(
            (one.scheme in ("http", "https") and one.hostname and one.port != 0)
            or (one.scheme in ("", "file") and one.path.startswith("/") and not one.path.endswith("/"))
            for one in parts
        )
    return False


def _url(text: str) -> bool:
    with suppress(ValueError):
        parts = urlsplit(text)
        return parts.scheme in ("postgresql", "postgres") and bool(parts.path.strip("/")) and parts.port != 0
    return False


def _address(text: str) -> bool:
    with suppress(ValueError):
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    return False


def _networks(text: str) -> bool:
    with suppress(ValueError):
        return bool([ip_network(one) for one in text.split()])
    return False


def _days(text: str) -> bool:
    return text.isdecimal() and int(text) <= 36_500


SETTINGS = (
    Setting("RESTAGE_WORKERS", "a whole number from 1 to 64", _whole),
    Setting("RESTAGE_LEASE_SECONDS", "a number of seconds from 1 to 86400", _number(1, 86_400)),
    Setting("RESTAGE_BEFORE_IMAGE_DAYS", "a number of days from 0 to 36500", _number(0, 36_500)),
    Setting("RESTAGE_BEFORE_IMAGE_MB", "a number of megabytes from 0 to 1000000000", _number(0, 1e9)),
    Setting("RESTAGE_ARCHIVE_DAYS", "a whole number of days", _days),
    Setting("RESTAGE_ARCHIVE_LEAST_DAYS", "a whole number of days", _days),
    Setting("RESTAGE_ORPHAN_HOURS", "a number of hours from 0 to 8760", _number(0, 8760)),
    Setting("RESTAGE_WAL_KEEP_FREE_MB", "a whole number of megabytes", str.isdecimal),
    Setting("RESTAGE_CLEANUP_ROWS", "a whole number of rows", str.isdecimal),
    Setting("RESTAGE_CLEANUP_MB", "a number of megabytes from 0 to 1000000000", _number(0, 1e9)),
    Setting("RESTAGE_BACKUPS", "on or off", ("on", "off").__contains__),
    Setting("RESTAGE_BACKUP_HOURS", "a number of hours from 0.1 to 8760", _number(0.1, 8760)),
    Setting("RESTAGE_BACKUP_DAYS", "a number of days from 1 to 3650", _number(1, 3650)),
    Setting("RESTAGE_DRILL_DAYS", "a number of days from 0 (no drills) to 3650", _number(0, 3650)),
    Setting("RESTAGE_RECOVERY_GOAL_MINUTES", "a number of minutes from 0.1 to 100000", _number(0.1, 100_000)),
    Setting("RESTAGE_ESCALATE_HOURS", "a number of hours from 0.1 to 8760", _number(0.1, 8760)),
    Setting("RESTAGE_APPROVAL_HOURS", "a number of hours from 0.1 to 8760", _number(0.1, 8760)),
    Setting("RESTAGE_CONFIRM_MINUTES", "a number of minutes from 0 (always ask) to 480", _number(0, 480)),
    Setting("RESTAGE_BASE_URL", "where people open the console, like https://restage.example.org", _address),
    Setting("RESTAGE_NOTIFY_MINUTES", "a number of minutes from 0 to 1440", _number(0, 1440)),
    Setting("RESTAGE_METRICS_TOKEN", "16 characters at least, without spaces", _token, secret=True),
    Setting("RESTAGE_PROXIES", "addresses or networks of proxies, like 10.0.0.7 or 10.1.0.0/24", _networks),
    Setting("RESTAGE_TIME_ZONE", "the name of a time zone, like Pacific/Auckland or UTC", _zone),
    Setting("RESTAGE_ENVIRONMENT", "a word in small letters, like production", _word),
    Setting("RESTAGE_OPENLINEAGE", "files and http(s) URLs, divided by spaces", _places, secret=True),
    Setting(databases.CONSOLE_URL, URL, _url, secret=True),
    Setting(databases.WAREHOUSE_URL, URL, _url, secret=True),
)
