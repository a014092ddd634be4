"""The inbox of approvals."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from access import rights
from access.rights import Asked
from approvals import breaking_glass, inbox_rows
from approvals.models import Decision

SHOWN = {"all": "All", "mine": "Mine to decide", "asked": "Asked by me"}


@require_safe
@rights.requires(rights.SEE)
def inbox(request: Asked) -> HttpResponse:
    """What waits for a decision, oldest first, and what was decided last."""
    chosen = request.GET.get("show", "all")
    shown = chosen if chosen in SHOWN else "all"
    rows = inbox_rows.of(request.user, timezone.now())
    decided = Decision.objects.select_related("request__job__plan", "reviewer").order_by("-at")
    return render(
        request,
        "approvals/inbox.html",
        {
            "rows": [row for row in rows if shown == "all" or getattr(row, shown)],
            "tabs": [
                (name, label, sum(name == "all" or getattr(row, name) for row in rows), name == shown)
                for name, label in SHOWN.items()
            ],
            "emergencies_open": breaking_glass.open_ones().count(),
            "decided": decided[:20],
        },
    )
