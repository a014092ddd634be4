"""The page of what needs reprocessing: causes, ages, reasons for leaving out, and buttons whose number is the truth."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from jobs.submission import AlreadyActiveError
from reprocessing import acts, blackouts, discovery_cache, requests
from reprocessing.asking_forms import PastBlackoutForm
from reprocessing.forms import DiscoveryFilter, ReasonForm, WavesForm
from warehouse import discovery as found_files
from warehouse import registry
from warehouse.connections import connect
from warehouse.discovery import LEFT_OUT, Filter
from warehouse.errors import TellableError


def _filter_of(data: QueryDict) -> DiscoveryFilter:
    return DiscoveryFilter(data, registry.current().names)


@require_safe
@rights.requires(rights.SEE)
def discovery(request: Asked) -> HttpResponse:
    """Every file that failed, is stuck, was never taken up, or had too many records refused."""
    form = _filter_of(request.GET)
    context: dict[str, Any] = {
        "form": form,
        "filtered": any(value for name, value in request.GET.items() if name != "fresh"),
    }
    if form.is_valid():
        context |= _found(form.wanted(), fresh="fresh" in request.GET)
        context["may_reprocess"] = rights.may(request.user, rights.REPROCESS)
        context["may_release"] = rights.may(request.user, rights.RELEASE)
        query = request.GET.copy()
        query.pop("fresh", None)
        context["again"] = query.urlencode()
        query.pop("cause", None)
        context["query"] = query.urlencode()
    return render(request, "discovery/list.html", context)


def _found(wanted: Filter, *, fresh: bool) -> dict[str, Any]:
    shown = discovery_cache.shown(wanted, fresh=fresh)
    found, listed = shown.found, shown.listed
    return {
        "found": found,
        "as_of": shown.as_of,
        "wanted": wanted,
        "left_out": [(code, number, LEFT_OUT[code]) for code, number in found.left_out.items()],
        "files": [(candidate, LEFT_OUT.get(candidate.code, "")) for candidate in listed],
        "most_files": max((number for _label, number in found.ages), default=0),
        "more": found.files - len(listed),
        "quarantined": [c for c in listed if c.code in ("quarantined", "backing off")],
    }


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.REPROCESS)
def reprocess(request: Asked) -> HttpResponseBase:
    """Ask for one job about every file that the filter takes, as it was shown."""
    filters, form = _filter_of(request.GET), ReasonForm(request.POST or None)
    waves = WavesForm(request.POST or None)
    if not filters.is_valid():
        return redirect(f"{reverse('discovery')}?{request.GET.urlencode()}")
    wanted = filters.wanted()
    if request.method == "POST" and form.is_valid() & waves.is_valid():
        try:
            return redirect(
                requests.ask_found(
                    settings.WAREHOUSE_URL,
                    wanted,
                    expected=request.POST.get("mark", ""),
                    reason=form.cleaned_data["reason"],
                    actor=request.user,
                    past_blackout=PastBlackoutForm(request.POST, None).reason(),
                    waves=waves.rules(),
                )
            )
        except AlreadyActiveError as error:
            messages.warning(request, "An active job is about one of these runs already. This is that job.")
            return redirect(error.job)
        except TellableError as error:
            form.add_error(None, str(error))
    with connect(settings.WAREHOUSE_URL, purpose="discovery") as connection:
        taken = found_files.candidates(connection, registry.current(), wanted, requests.held_runs(), only_taken=True)
    context = {
        "form": form,
        "past": PastBlackoutForm(request.POST or None, blackouts.now_in_force()),
        "waves_form": waves,
        "taken": taken,
        "runs": len({candidate.load_run_id for candidate in taken}),
        "mark": requests.mark(taken),
        "query": request.GET.urlencode(),
    }
    return render(request, "discovery/reprocess.html", context, status=422 if form.errors or waves.errors else 200)


@require_POST
@rights.requires(rights.RELEASE)
def release(request: Asked) -> HttpResponseBase:
    """Let files that kept failing be taken again."""
    form = ReasonForm(request.POST)
    files = [int(file) for file in request.POST.getlist("file") if file.isdecimal() and len(file) < 10]
    if not form.is_valid() or not files:
        messages.error(request, "Nothing was released: choose the files and say why they can be read now.")
    else:
        released = acts.release(settings.WAREHOUSE_URL, files, reason=form.cleaned_data["reason"], actor=request.user)
        messages.success(request, f"{released:,} released. Discovery takes them again.")
    return redirect("discovery")
