"""What is done to a schedule or a trigger by a button: pause, resume, delete; and blackout windows."""

from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from access import rights
from access.rights import Asked
from audit.transitions import StateChangedError
from reprocessing import askers, blackouts
from reprocessing.askers import Asks, NoOwnerError
from reprocessing.asking_forms import BlackoutForm
from reprocessing.asking_models import Blackout, Schedule, Trigger
from reprocessing.forms import ReasonForm


def _asker_or_404(kind: str, pk: int) -> Asks:
    if kind == "schedule":
        return get_object_or_404(Schedule.objects.select_related("owner"), pk=pk)
    if kind == "trigger":
        return get_object_or_404(Trigger.objects.select_related("owner"), pk=pk)
    raise Http404("There is no such kind.")


@require_POST
@rights.requires(rights.MANAGE_SCHEDULES)
def pause(request: Asked, kind: str, pk: int) -> HttpResponseBase:
    """Needs a reason."""
    found, form = _asker_or_404(kind, pk), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was paused: say why.")
        return redirect(found)
    try:
        askers.pause(found, request.user, reason=form.cleaned_data["reason"])
        messages.success(request, f"Paused. {found.name} asks for nothing until it is resumed.")
    except StateChangedError:
        messages.warning(request, f"{found.name} was {found.state} already.")
    return redirect(found)


@require_POST
@rights.requires(rights.MANAGE_SCHEDULES)
def resume(request: Asked, kind: str, pk: int) -> HttpResponseBase:
    """What fell into the pause is not made up for."""
    found = _asker_or_404(kind, pk)
    try:
        if isinstance(found, Schedule):
            askers.resume(found, request.user, until=timezone.now())
        else:
            askers.resume(found, request.user)
        messages.success(request, f"{found.name} asks again, for what comes from now on.")
    except NoOwnerError as error:
        messages.error(request, f"Not resumed. {error}")
    except StateChangedError:
        messages.warning(request, f"{found.name} was active already.")
    return redirect(found)


@require_POST
@rights.requires(rights.MANAGE_SCHEDULES)
def delete(request: Asked, kind: str, pk: int) -> HttpResponseBase:
    """Needs a reason; its jobs stay."""
    found, form = _asker_or_404(kind, pk), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was deleted: say why.")
        return redirect(found)
    askers.delete(found, request.user, reason=form.cleaned_data["reason"])
    messages.success(request, f"{found.name} is deleted; the jobs that it asked for stay.")
    return redirect("schedules")


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_SCHEDULES)
def add_blackout(request: Asked) -> HttpResponseBase:
    form = BlackoutForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        blackouts.add(form.blackout(), request.user)
        messages.success(request, "Added. Jobs that were asked for before go on.")
        return redirect("schedules")
    return render(request, "schedules/edit_blackout.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@rights.requires(rights.MANAGE_SCHEDULES)
def remove_blackout(request: Asked, pk: int) -> HttpResponseBase:
    blackouts.remove(get_object_or_404(Blackout, pk=pk), request.user)
    messages.success(request, "Removed.")
    return redirect("schedules")
