"""What every page shows around its content."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from access import rights
from approvals import gate
from reprocessing.models import Breaker

THEMES = ("light", "dark")


def frame(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "")
    shown: dict[str, Any] = {"theme": theme if theme in THEMES else "", "roles": [], "nav": []}
    if not request.user.is_authenticated:
        return shown
    shown["roles"] = rights.roles_of(request.user)
    if rights.may(request.user, rights.SEE):
        waiting = len(gate.pending(request.user))
        tripped = Breaker.objects.filter(state=Breaker.State.OPEN).count()
        shown["nav"] = [
            _item(request, "Runs", "runs", "run"),
            _item(request, "Discovery", "discovery", "discovery"),
            _item(request, "Freshness", "freshness", "freshness"),
            _item(request, "Downstream", "downstream", "downstream"),
            _item(request, "Breakers", "breakers", "breaker", tripped or None),
            _item(request, "Jobs", "jobs", "job"),
            _item(request, "Approvals", "approvals", "approval", waiting or None),
            _item(request, "Archives", "archives", "archive"),
            _item(request, "Schedules", "schedules", "schedule"),
        ]
    if rights.may(request.user, rights.SEE_TRAIL):
        shown["nav"].append(_item(request, "Audit", "audit", "audit"))
    return shown


def _item(request: HttpRequest, label: str, name: str, icon: str, count: int | None = None) -> dict[str, Any]:
    url = reverse(name)
    return {"label": label, "url": url, "icon": icon, "count": count, "current": request.path.startswith(url)}
