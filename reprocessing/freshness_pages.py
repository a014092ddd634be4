"""The pages of what is out of date: which files, because of which component, and one button for each group."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from jobs.submission import AlreadyActiveError
from reprocessing import acts, blackouts, requests
from reprocessing.asking_forms import PastBlackoutForm
from reprocessing.forms import ReasonForm
from warehouse import differences, redelivery, registry
from warehouse import freshness as judged
from warehouse.connections import connect, snapshot
from warehouse.errors import TellableError
from warehouse.models import LoadRunFile

COMPARE_SECONDS = 20.0  # that a page is kept waiting


def _extract_of(request: HttpRequest) -> str:
    """The extract that is asked about; none where it is not declared."""
    name = request.GET.get("extract", "")
    return name if name in registry.current() else ""


@require_safe
@rights.requires(rights.SEE)
def freshness(request: Asked) -> HttpResponse:
    """Every live file in one place: current, out of date by component, or unknown."""
    extract = _extract_of(request)
    with connect(settings.WAREHOUSE_URL, purpose="freshness") as connection, snapshot(connection):
        found = judged.find(connection, registry.current(), extract=extract, held=requests.held_runs())
        compared = redelivery.last(connection)
    return render(
        request,
        "freshness/list.html",
        {
            "found": found,
            "sections": [("groups", found.groups), ("unknown", found.unknowns), ("current", found.notes)],
            "compared": compared,
            "extract": extract,
            "extracts": registry.current().names,
            "may_reprocess": rights.may(request.user, rights.REPROCESS),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.REPROCESS)
def reprocess(request: Asked) -> HttpResponseBase:
    """Ask for one job about the files of a group, as it was shown."""
    extract, group, form = _extract_of(request), request.GET.get("group", ""), ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(
                requests.ask_outdated(
                    settings.WAREHOUSE_URL,
                    extract,
                    group,
                    expected=request.POST.get("mark", ""),
                    reason=form.cleaned_data["reason"],
                    actor=request.user,
                    past_blackout=PastBlackoutForm(request.POST, None).reason(),
                )
            )
        except AlreadyActiveError as error:
            messages.warning(request, "An active job is about one of these runs already. This is that job.")
            return redirect(error.job)
        except TellableError as error:
            form.add_error(None, str(error))
    with connect(settings.WAREHOUSE_URL, purpose="freshness") as connection:
        found, files = judged.members(connection, registry.current(), extract, group, requests.held_runs())
    taken = files[: requests.MOST_OUTDATED]
    context: dict[str, Any] = {
        "form": form,
        "past": PastBlackoutForm(request.POST or None, blackouts.now_in_force()),
        "found": found,
        "taken": taken,
        "later": len(files) - len(taken),
        "runs": len({file.load_run_id for file in taken}),
        "mark": requests.mark(taken),
        "by_hand": found is not None and found.way == differences.HAND,
    }
    return render(request, "freshness/reprocess.html", context, status=422 if form.errors else 200)


@require_POST
@rights.requires(rights.REPROCESS)
def compare(request: Asked) -> HttpResponseBase:
    """Compare files at the source with what was loaded, those compared longest ago first, as long as a page can."""
    extract = _extract_of(request)
    try:
        found = acts.compare_sources(settings.WAREHOUSE_URL, extract, actor=request.user, seconds=COMPARE_SECONDS)
    except (TellableError, OSError) as error:
        messages.error(request, f"The files were not compared. {error}")
    else:
        parts = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(found.verdicts.items()))
        more = f" {found.left:,} are left; compare again to go on." if found.left else ""
        new = f" {found.not_loaded:,} at the source are not loaded yet." if found.not_loaded else ""
        messages.success(request, f"{found.files:,} files compared: {parts or 'none'}.{more}{new}")
    return redirect(f"{reverse('freshness')}{f'?extract={extract}' if extract else ''}")


@require_safe
@rights.requires(rights.SEE)
def why(request: Asked, file: int) -> HttpResponse:
    """One file: with what its rows were built, what differs now, and what that asks for."""
    found_file = LoadRunFile.objects.select_related("superseded_by").filter(pk=file).first()
    if found_file is None:
        raise Http404("There is no such file.")
    with connect(settings.WAREHOUSE_URL, purpose="freshness") as connection:
        found = judged.why(connection, registry.current(), file)
        history = judged.history(connection, file)
    attempt, group = found or (None, None)
    context = {"file": found_file, "attempt": attempt, "group": group, "history": history}
    return render(request, "freshness/file.html", context)
