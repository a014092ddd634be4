"""The page of the circuit breakers: what tripped which, and the reset that needs a reason."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from access import rights
from access.rights import Asked
from audit.transitions import StateChangedError
from reprocessing import breaker
from reprocessing.forms import ReasonForm
from reprocessing.models import Breaker
from warehouse import registry


@require_safe
@rights.requires(rights.SEE)
def breakers(request: Asked) -> HttpResponse:
    """Every extract; those whose breaker is not closed first."""
    known = {found.extract: found for found in Breaker.objects.select_related("tripped_by", "reset_by", "probe")}
    rank = {Breaker.State.OPEN: 0, Breaker.State.HALF_OPEN: 1}
    shown = [known.get(e.name) or Breaker(extract=e.name) for e in registry.current().extracts]
    shown.sort(key=lambda found: (rank.get(Breaker.State(found.state), 2), found.extract))
    return render(
        request,
        "breakers/list.html",
        {
            "tripped": [found for found in shown if found.state != Breaker.State.CLOSED],
            "closed": [found for found in shown if found.state == Breaker.State.CLOSED],
            "may_reset": rights.may(request.user, rights.RESET_BREAKER),
            "limits": breaker,
        },
    )


@require_POST
@rights.requires(rights.RESET_BREAKER)
def reset(request: Asked, breaker_id: int) -> HttpResponseBase:
    """Half open: one job may try."""
    found = get_object_or_404(Breaker, pk=breaker_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was reset: say why the extract can be reprocessed again.")
        return redirect("breakers")
    try:
        breaker.reset(found, request.user, reason=form.cleaned_data["reason"])
        messages.success(request, f"The next job of {found.extract} is its trial: if it publishes, the breaker closes.")
    except StateChangedError:
        messages.warning(request, f"The breaker of {found.extract} was not open any more.")
    return redirect("breakers")
