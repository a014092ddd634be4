"""The alerts: what is wrong now, one alert with its story, and what people do to it."""

from collections.abc import Callable
from datetime import timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access import rights
from access.rights import Asked
from audit import trail
from audit.transitions import StateChangedError
from monitoring.alerts import evaluation, lifecycle
from monitoring.alerts.downtimes import Silence
from monitoring.alerts.forms import ActForm
from monitoring.alerts.lifecycle import NeedsWordsError
from monitoring.alerts.models import Alert, Heartbeat

PAGE_ROWS = 50
MOST_LIVING = 500
LATE = 10 * evaluation.EVERY


@require_safe
@rights.requires(rights.SEE)
def alerts(request: Asked) -> HttpResponse:
    """What is wrong, by cause, the worst first; or what is over."""
    now, over = timezone.now(), request.GET.get("state") == "resolved"
    found = Alert.objects.select_related("rule", "owner")
    living = found.filter(state__in=Alert.LIVING)
    page = Paginator(found.filter(state=Alert.State.RESOLVED), PAGE_ROWS).get_page(request.GET.get("page"))
    beat = Heartbeat.objects.filter(pk=1).first()
    return render(
        request,
        "alerts/list.html",
        {
            "over": over,
            "page": page if over else None,
            "query": "state=resolved",
            "causes": [] if over else _by_cause(list(living[:MOST_LIVING])),
            "living": living.count(),
            "most": MOST_LIVING,
            "beat": beat,
            "late": beat is None or beat.at is None or beat.at < now - LATE,
            "silence": sorted(Silence.at(now).extracts),
            "may_manage": rights.may(request.user, rights.MANAGE_ALERTS),
        },
    )


def _by_cause(found: list[Alert]) -> list[tuple[str, list[Alert]]]:
    """Cause → its alerts; causes with something critical that nobody has taken on come first."""
    causes: dict[str, list[Alert]] = {}
    for alert in sorted(found, key=_rank):
        causes.setdefault(alert.cause, []).append(alert)
    return sorted(causes.items(), key=lambda pair: (min(map(_rank, pair[1])), pair[0]))


def _rank(alert: Alert) -> tuple[bool, bool]:
    return alert.state not in Alert.TELLING, alert.severity != "critical"


@require_safe
@rights.requires(rights.SEE)
def alert(request: Asked, pk: int) -> HttpResponse:
    """One alert: what, since when, which cases, what to do, who has it, what was done."""
    found = get_object_or_404(Alert.objects.select_related("rule", "owner"), pk=pk)
    end = found.resolved_at or timezone.now()
    return render(
        request,
        "alerts/alert.html",
        {
            "alert": found,
            "cases": list(reversed(found.cases)),
            "lasted": end - found.opened_at,
            "flapping": lifecycle.is_flapping(found, timezone.now()),
            "notes": found.notes.select_related("author"),
            "events": trail.story([f"alert:{found.pk}"]),
            "related": Alert.objects.filter(cause=found.cause, state__in=Alert.LIVING).exclude(pk=pk)[:10],
            "living": found.state in Alert.LIVING,
            "may_handle": rights.may(request.user, rights.HANDLE_ALERTS),
        },
    )


@require_POST
@rights.requires(rights.HANDLE_ALERTS)
def act(request: Asked, pk: int, name: str) -> HttpResponseBase:
    """Acknowledge, snooze, resolve, reopen, or add a note."""
    found, form = get_object_or_404(Alert.objects.select_related("rule"), pk=pk), ActForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, "Nothing was changed: the hours must be from 0.1 to 720, the words at most 900 letters."
        )
        return redirect(found)
    try:
        ACTS[name](found, request, form)
        messages.success(request, "Kept." if name == "note" else f"It is {found.get_state_display().lower()}.")
    except NeedsWordsError as error:
        messages.error(request, str(error))
    except StateChangedError as error:
        messages.warning(request, f"Nothing was changed. {error}")
    return redirect(found)


def _snooze(found: Alert, request: Asked, form: ActForm) -> None:
    now = timezone.now()
    until = now + timedelta(hours=form.cleaned_data["hours"] or 1)
    lifecycle.snooze(found, request.user, until=until, reason=form.cleaned_data["words"], now=now)


ACTS: dict[str, Callable[[Alert, Asked, ActForm], None]] = {
    "acknowledge": lambda found, request, form: lifecycle.acknowledge(found, request.user),
    "snooze": _snooze,
    "resolve": lambda found, request, form: lifecycle.resolve(
        found, request.user, reason=form.cleaned_data["words"], now=timezone.now()
    ),
    "reopen": lambda found, request, form: lifecycle.reopen(
        found, request.user, reason=form.cleaned_data["words"], now=timezone.now()
    ),
    "note": lambda found, request, form: lifecycle.note(found, request.user, text=form.cleaned_data["words"]),
}
