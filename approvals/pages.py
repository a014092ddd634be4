"""The inbox of approvals."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from access import rights
from access.rights import Asked
from approvals.models import Decision, Request


@require_safe
@rights.requires(rights.SEE)
def inbox(request: Asked) -> HttpResponse:
    """What waits for a decision, oldest first, and what was decided last."""
    waiting = Request.objects.filter(state=Request.State.PENDING, job__state="awaiting approval")
    return render(
        request,
        "approvals/inbox.html",
        {
            "waiting": waiting.select_related("job__plan", "job__requested_by"),
            "may_decide": rights.may(request.user, rights.DECIDE),
            "decided": Decision.objects.select_related("request__job__plan", "reviewer").order_by("-at")[:20],
        },
    )
