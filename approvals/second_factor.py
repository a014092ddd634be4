"""The second factor of an emergency: an authenticator app (TOTP), and recovery codes for when it is lost.

django-otp keeps the devices, compares the codes, takes each one once and slows down who guesses.
"""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from audit.models import Event
from audit.transitions import record
from warehouse.on_use import OnUse

segno = OnUse("segno")
RECOVERY_CODES = 10
APP_DIGITS = 6
QUIET_ZONE = 4  # modules that stay light around a QR code (ISO/IEC 18004)
REFUSED = (
    "That is no valid code of your second factor. Each code counts once; after a wrong one the next try has to wait a"
    " little. Nothing was let through."
)


def has_one(user: User) -> bool:
    """Whether they have a second factor that is confirmed."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def verify(user: User, token: str) -> bool:
    """Whether it is a code of the user's app, or a recovery code, which is used up by that. A wrong one is recorded."""
    cleaned = token.replace(" ", "").replace("-", "").lower()
    with transaction.atomic():
        kind = TOTPDevice if cleaned.isdecimal() and len(cleaned) == APP_DIGITS else StaticDevice
        devices = kind.objects.select_for_update().filter(user=user, confirmed=True)
        if has_one(user) and any(device.verify_token(cleaned) for device in devices):
            return True
        record(user, "second factor refused", user, result=Event.Result.REFUSED)
    return False


def begun(user: User) -> TOTPDevice | None:
    """The device that is being set up: kept until it is confirmed, so that a reload shows the same code."""
    found: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return found


def begin(user: User) -> TOTPDevice:
    """Begin to set up a device, unless that has begun."""
    return begun(user) or TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def finish(user: User, token: str) -> list[str] | None:
    """Take the device into use in place of any former one; the new recovery codes, which nobody can read again. None
    where the code is wrong."""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if device is None or not device.verify_token(token.replace(" ", "")):
            return None
        again = TOTPDevice.objects.filter(user=user, confirmed=True).delete()[0] > 0
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        record(user, "second factor replaced" if again else "second factor set up", user)
        return _new_codes(user)


def _new_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery codes", confirmed=True)
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    device.token_set.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def codes_left(user: User) -> int:
    return int(StaticToken.objects.filter(device__user=user).count())


@dataclass(frozen=True)
class Code:
    """A QR code to be drawn: `size` modules a side, quiet zone and all; `path` draws the dark ones, as SVG says it."""

    size: int
    path: str


def as_qr(device: TOTPDevice) -> Code:
    """The key as a QR code."""
    rows = [bytes(row) for row in segno.make(device.config_url, error="m").matrix_iter(border=QUIET_ZONE)]
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module)
    return Code(len(rows), "".join(dark))


def as_text(device: TOTPDevice) -> str:
    """The key to be typed, in groups of four."""
    key = str(device.config_url).split("secret=")[1].split("&")[0]
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))
