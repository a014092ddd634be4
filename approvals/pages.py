"""The inbox of approvals."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from access import rights
from access.rights import Asked
from approvals import gate
from approvals.models import Decision


@require_safe
@rights.requires(rights.SEE)
def inbox(request: Asked) -> HttpResponse:
    """What waits for a decision, oldest first, and what was decided last."""
    return render(
        request,
        "approvals/inbox.html",
        {
            "waiting": gate.waiting(),
            "may_decide": rights.may(request.user, rights.DECIDE),
            "decided": Decision.objects.select_related("request__job__plan", "reviewer").order_by("-at")[:20],
        },
    )
