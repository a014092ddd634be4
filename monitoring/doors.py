"""Who may read the figures without being a person: whoever has the token, or without one only this machine itself."""

import secrets
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest

FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP")


def may_read(request: HttpRequest) -> bool:
    """With RESTAGE_METRICS_TOKEN: who sends it, from anywhere. Without: who asks from this machine and not through a
    proxy, which speaks for others."""
    return has_token(request) if settings.METRICS_TOKEN else _from_here(request)


def has_token(request: HttpRequest) -> bool:
    """Whether the request says `Authorization: Bearer TOKEN`; never where none is set."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return bool(settings.METRICS_TOKEN) and secrets.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())


def _from_here(request: HttpRequest) -> bool:
    if any(request.META.get(name) for name in FORWARDED):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
