"""The pages of load runs: list, one run, and the form that asks for its reprocessing."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from access import rights
from access.rights import Asked
from jobs.models import Job
from jobs.submission import AlreadyActiveError
from reprocessing import blackouts, planning, requests, runs
from reprocessing.asking_forms import PastBlackoutForm
from reprocessing.blackouts import InBlackoutError
from reprocessing.forms import ReprocessForm, RunFilter, WavesForm
from reprocessing.planning import CannotPlanError, Selection
from warehouse import archive_search, history, quarantine, registry
from warehouse.connections import connect
from warehouse.models import LoadRun, LoadRunFile

PAGE_ROWS = 50


@require_safe
@rights.requires(rights.SEE)
def runs_page(request: Asked) -> HttpResponse:
    """Every load run, failed ones first."""
    extracts = registry.current().names
    form = RunFilter(request.GET, extracts)
    valid = form.is_valid()
    found = runs.filtered(runs.listed(), form.cleaned_data) if valid else runs.listed().none()
    page = Paginator(found, PAGE_ROWS).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    return render(
        request,
        "runs/list.html",
        {"form": form, "page": page, "query": query.urlencode(), "filtered": any(request.GET.dict().values())},
    )


def _run_or_404(load_run_id: UUID) -> LoadRun:
    found: LoadRun | None = runs.listed().filter(pk=load_run_id).first()
    if found is None:
        raise Http404("There is no such load run.")
    return found


@require_safe
@rights.requires(rights.SEE)
def run(request: Asked, load_run_id: UUID) -> HttpResponse:
    """One load run: its files, what was refused and why, and the jobs about it."""
    found = _run_or_404(load_run_id)
    files = LoadRunFile.objects.filter(load_run=found).select_related("superseded_by")
    with connect(settings.WAREHOUSE_URL, purpose="run page") as connection:
        causes = history.rejection_causes(connection, load_run_id)
        parent, children = history.family(connection, load_run_id)
        heads = history.heads(connection, load_run_id)
        kept = archive_search.of_run(connection, load_run_id)
    jobs = Job.objects.filter(runs__load_run_id=load_run_id).select_related("requested_by", "plan", "approval")
    return render(
        request,
        "runs/run.html",
        {
            "run": found,
            "files": files,
            "causes": causes,
            "parent": parent,
            "children": children,
            "heads": heads,
            "replaced": bool(files) and all(file.superseded_at for file in files),
            "quarantined": [file for file in files if _is_quarantined(file)],
            "jobs": jobs,
            "active": next((job for job in jobs if job.active), None),
            "may_reprocess": rights.may(request.user, rights.REPROCESS),
            "kept": kept,
            "may_archive": rights.may(request.user, rights.ARCHIVE),
        },
    )


def _is_quarantined(file: LoadRunFile) -> bool:
    """Whether nothing of it counts: it stands for a quarantined file itself, or such an attempt stands in its place."""
    stands = file.status == quarantine.STATUS and file.superseded_at is None
    return stands or file.quarantined_by is not None


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.REPROCESS)
def reprocess(request: Asked, load_run_id: UUID) -> HttpResponseBase:
    """The form; while it is being filled in, the files that it selects are shown beside it."""
    found = _run_or_404(load_run_id)
    of_run = LoadRunFile.objects.filter(load_run=found).order_by("extract_type", "load_run_file_id")
    files = list(of_run.values_list("load_run_file_id", "s3_key"))
    names = list(dict.fromkeys(of_run.values_list("extract_type", flat=True)))
    initial = {"which": "failed" if found.state in ("failed", "completed with failures") else "all"}  # type: ignore[attr-defined]  # runs.listed() adds it
    if request.method == "POST":
        form, waves = ReprocessForm(request.POST, extracts=names, files=files), WavesForm(request.POST)
        if form.is_valid() & waves.is_valid() and (job := _ask(request, form, waves, load_run_id)):
            return redirect(job)
    else:
        form, waves = ReprocessForm(request.GET or None, extracts=names, files=files, initial=initial), WavesForm()
        form.is_valid()
        form.errors.pop("reason", None)  # it is still to be said
    shown = form.options() if form.is_bound else planning.Options(which=initial["which"])
    selection, refused = _selection(load_run_id, shown)
    context = {
        "run": found,
        "form": form,
        "past": PastBlackoutForm(request.POST or None, blackouts.now_in_force()),
        "waves_form": waves,
        "selection": selection,
        "quarantines": shown.source == planning.NOTHING,
        "refused": refused,
    }
    part = "#selection" if request.headers.get("HX-Target") == "selection" else ""
    return render(request, f"runs/reprocess.html{part}", context, status=422 if request.POST else 200)


def _ask(request: Asked, form: ReprocessForm, waves: WavesForm, load_run_id: UUID) -> Job | None:
    """The job, or None with the reason added to the form."""
    data: dict[str, Any] = form.cleaned_data
    try:
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL,
            [load_run_id],
            form.options(),
            reason=data["reason"],
            actor=request.user,
            dry_run=data["dry_run"],
            past_blackout=PastBlackoutForm(request.POST, None).reason(),
            waves=waves.rules(),
        )
    except AlreadyActiveError as error:
        messages.warning(request, "This run is being reprocessed already. This is that job.")
        return error.job
    except (CannotPlanError, InBlackoutError) as error:
        form.add_error(None, str(error))
        return None


def _selection(load_run_id: UUID, options: planning.Options) -> tuple[Selection | None, str]:
    try:
        with connect(settings.WAREHOUSE_URL, purpose="selection") as connection:
            return planning.select(connection, registry.current(), [load_run_id], options), ""
    except CannotPlanError as error:
        return None, str(error)
