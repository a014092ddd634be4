"""What every page shows around its content."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from access import rights, zones
from approvals import breaking_glass, gate
from monitoring.alerts.models import Alert
from monitoring.verdicts.models import QualityVerdict
from notifications import inbox
from reprocessing.models import Breaker

THEMES = ("light", "dark")
MOST_EMERGENCIES = 3  # of those to review, on every page; the rest is one click away


def frame(request: HttpRequest) -> dict[str, Any]:
    theme = request.COOKIES.get("theme", "")
    zone, days_of = zones.current(), str(zones.console())
    shown: dict[str, Any] = {
        "theme": theme if theme in THEMES else "",
        **{"roles": [], "nav": [], "emergencies": []},
        "zone": zone,
        "days_of": days_of if days_of != zone else "",  # said where days are asked for or drawn
    }
    if not request.user.is_authenticated:
        return shown
    shown["roles"] = rights.roles_of(request.user)
    if rights.may(request.user, rights.SEE):
        waiting = len(gate.pending(request.user))
        tripped = Breaker.objects.filter(state=Breaker.State.OPEN).count()
        doubted = QualityVerdict.objects.waiting().count()
        shown["nav"] = [
            {**_item(request, "Dashboard", "home", "dashboard"), "current": request.path == reverse("home")},
            _item(request, "Runs", "runs", "run"),
            _item(request, "Discovery", "discovery", "discovery"),
            _item(request, "Freshness", "freshness", "freshness"),
            _item(request, "Downstream", "downstream", "downstream"),
            _item(request, "Breakers", "breakers", "breaker", tripped or None),
            _item(request, "Jobs", "jobs", "job"),
            _item(request, "Approvals", "approvals", "approval", waiting or None),
            _item(request, "Quality", "quality", "quality", doubted or None),
            _item(request, "Archives", "archives", "archive"),
            _item(request, "Recovery", "recovery", "recovery"),
            _item(request, "Lineage", "lineage", "lineage"),
            _item(request, "Schedules", "schedules", "schedule"),
            _item(request, "Alerts", "alerts", "alert", Alert.objects.filter(state__in=Alert.TELLING).count() or None),
            _item(request, "Notifications", "notifications", "notification", inbox.unread(request.user) or None),
        ]
    if rights.may(request.user, rights.DECIDE):
        shown["emergencies"] = list(breaking_glass.open_ones()[:MOST_EMERGENCIES])
    if rights.may(request.user, rights.SEE_TRAIL):
        shown["nav"].append(_item(request, "Audit", "audit", "audit"))
    return shown


def _item(request: HttpRequest, label: str, name: str, icon: str, count: int | None = None) -> dict[str, Any]:
    url = reverse(name)
    return {"label": label, "url": url, "icon": icon, "count": count, "current": request.path.startswith(url)}
