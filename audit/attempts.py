"""Attempts at what somebody may not do, as the trail keeps them."""

from django.contrib.auth.models import User
from django.http import HttpRequest

from audit.models import Event
from audit.transitions import record


def refused(request: HttpRequest, why: str) -> None:
    """Record it, where somebody is logged in: which page or resource, by which method, about what."""
    match = request.resolver_match
    if isinstance(request.user, User) and match is not None:
        asked = {
            "page": match.view_name,
            "method": request.method,
            "about": {name: str(value) for name, value in match.kwargs.items()},
        }
        record(request.user, "attempt refused", request.user, {**asked, "why": why}, result=Event.Result.REFUSED)
