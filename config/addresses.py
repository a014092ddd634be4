"""From which address a request comes: the limits on wrong passwords and the trail go by it."""

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def of(request: HttpRequest) -> str:
    """Who spoke to us; where that was one of our proxies (RESTAGE_PROXIES), who spoke to it. What others have written
    into `X-Forwarded-For` before is never believed."""
    address = str(request.META.get("REMOTE_ADDR", ""))[:64]
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")
    while forwarded and _is_proxy(address) and _is_address(forwarded[-1].strip()):
        address = forwarded.pop().strip()
    return address


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _is_proxy(address: str) -> bool:
    return _is_address(address) and any(ip_address(address) in network for network in settings.PROXIES)
