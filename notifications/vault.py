"""Addresses of channels hold passwords and tokens: in the database they lie encrypted, with a key that is not there."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from warehouse.errors import TellableError


class UnreadableAddressError(TellableError):
    """The address was encrypted with another key; the message says what to do."""


def lock(text: str) -> str:
    return _fernet().encrypt(text.encode()).decode()


def open_(text: str) -> str:
    """Raises UnreadableAddressError."""
    try:
        return _fernet().decrypt(text.encode()).decode()
    except InvalidToken:
        raise UnreadableAddressError(
            "The channel's address was kept with another RESTAGE_SECRET_KEY. Enter it again on the channel's page."
        ) from None


def _fernet() -> Fernet:
    key = hashlib.sha256(b"restage channel addresses\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
