"""The pages of jobs: list, and one job with its plan, approval, progress, outcome and way back in one place."""

from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from approvals import shown
from archives import restore_shown
from audit.models import Event
from audit.transitions import StateChangedError
from jobs import kinds, listing, remaining, submission
from jobs.models import Job
from jobs.submission import AlreadyActiveError
from reprocessing import (
    blackouts,
    effects,
    planning,
    requests,
    revising,
    rollback_requests,
    rolling_back,
    rollout_pages,
    ways_back,
)
from reprocessing.asking_forms import PastBlackoutForm
from reprocessing.forms import RollbackForm
from reprocessing.ways_back import WayBack
from warehouse.connections import connect
from warehouse.errors import TellableError

PAGE_ROWS = 50
STOP_POLLING = 286


@require_safe
@rights.requires(rights.SEE)
def jobs(request: Asked) -> HttpResponse:
    """Every job, active ones first."""
    form = listing.JobFilter(request.GET)
    found = listing.filtered(form.wanted()) if form.is_valid() else Job.objects.none()
    listed = found.select_related("plan", "requested_by", "approval")
    page = Paginator(listed, PAGE_ROWS).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    filtered = any(query.values())
    return render(
        request, "jobs/list.html", {"page": page, "form": form, "filtered": filtered, "query": query.urlencode()}
    )


@require_safe
@rights.requires(rights.SEE)
def job(request: Asked, job_id: UUID) -> HttpResponse:
    """One job; asked by htmx, only its live part."""
    found = _job_or_404(job_id)
    live = request.headers.get("HX-Target") == "live"
    if live and request.GET.get("state", "") != rollout_pages.mark(found):  # the whole page has changed with it
        return HttpResponse(headers={"HX-Refresh": "true"})
    context = _context(request, found)
    if live:
        return render(request, "jobs/job.html#live", context, status=200 if found.active else STOP_POLLING)
    return render(request, "jobs/job.html", {**context, "way": _way_back(found)})


def _job_or_404(job_id: UUID) -> Job:
    with_what_is_shown = Job.objects.select_related("plan", "requested_by", "undoes__plan", "parent", "approval")
    return get_object_or_404(with_what_is_shown, pk=job_id)


def _context(request: Asked, found: Job) -> dict[str, Any]:
    user = request.user
    own_words = kinds.of(found).describe is not None
    tables = [] if own_words else effects.tables(found)
    return {
        "job": found,
        "plan": found.plan,
        "own_words": own_words,
        "described": kinds.described(found),
        "files": found.plan.included,
        "tables": tables,
        "samples": effects.samples(found.plan),
        "causes": effects.causes(found.plan),
        "changes": sum(map(effects.changes, tables)),
        "changed_files": [item for item in found.plan.included if item.get("changed")],
        **shown.context(user, request.session, found),
        "may_revise": not revising.why_not(found, user),
        "refreshes": found.active and found.state != Job.State.AWAITING,
        "retries": requests.left_to_retry(found) if rights.may(user, rights.REPROCESS) else [],
        "past": PastBlackoutForm(None, blackouts.now_in_force()),
        "mark": rollout_pages.mark(found),
        "may_cancel": _can_be_cancelled(found) and rights.may(user, rights.CANCEL),
        "may_roll_back": _can_be_rolled_back(found) and rights.may(user, rights.ROLL_BACK),
        "rollbacks": rolling_back.rollbacks_of(found),
        "undone": _undone(found),
        **_on_top(found),
        "events": Event.objects.filter(subject=f"job:{found.pk}").order_by("id"),
        "elapsed": timezone.now() - found.started_at if found.started_at and found.active else found.took,
        "eta": remaining.seconds(found, timezone.now()),
        **rollout_pages.context(user, found),
        **restore_shown.context(user, found),
    }


def _can_be_cancelled(found: Job) -> bool:
    """A rollout that has begun is aborted instead."""
    begun = found.kind == planning.ROLLOUT and found.state in (Job.State.RUNNING, Job.State.PAUSED)
    return found.active and not begun


def _can_be_rolled_back(found: Job) -> bool:
    return not rollback_requests.can_be_asked(found) and found.plan.options["source"] != "raw"


def _undone(found: Job) -> list[Job]:
    """The jobs that a rollback takes back, newest first."""
    if found.kind != rolling_back.NAME:
        return []
    jobs = rolling_back.undo_of(found.plan).jobs
    known = Job.objects.in_bulk(jobs)
    return [known[pk] for pk in jobs if pk in known]


def _on_top(found: Job) -> dict[str, Any]:
    """What was built on top of the jobs that a rollback takes back, by table, and which tables depend on these."""
    preview = found.plan.preview or {}
    told = [
        {"table": f"stg.{table}", "exact": preview["exact"].get(table, False), **said}
        for table, said in sorted(preview.get("on_top", {}).items())
    ]
    dependants = [{**other, "of": said["table"]} for said in told for other in said["dependants"]]
    concerned = [other for other in dependants if other["rows"] is None or other["rows"]]
    concerned_tables = {other["table"] for other in concerned}
    return {
        "on_top": told,
        "on_top_exact": all(said["exact"] for said in told),
        "dependants": concerned,
        "independent": len({other["table"] for other in dependants} - concerned_tables),
    }


@require_POST
@rights.requires(rights.CANCEL)
def cancel(request: Asked, job_id: UUID) -> HttpResponseBase:
    found = _job_or_404(job_id)
    try:
        if submission.cancel(found, request.user):
            messages.success(request, "Cancelled. Staging is unchanged.")
        else:
            messages.info(request, "Its worker has been asked to stop. What is not published yet will not be.")
    except StateChangedError:
        messages.warning(request, "Nothing was cancelled: it is over, or just beginning its first wave. Look again.")
    return redirect(found)


@require_POST
@rights.requires(rights.REPROCESS)
def retry(request: Asked, job_id: UUID) -> HttpResponseBase:
    """Ask anew for what the job did not do."""
    found = _job_or_404(job_id)
    try:
        past = PastBlackoutForm(request.POST, None).reason()
        asked = requests.ask_retry(settings.WAREHOUSE_URL, found, actor=request.user, past_blackout=past)
        messages.success(request, f"Asked anew for {len(asked.plan.included):,} files.")
        return redirect(asked)
    except AlreadyActiveError as error:
        messages.warning(request, "An active job is about its run already. This is that job.")
        return redirect(error.job)
    except TellableError as error:
        messages.error(request, str(error))
        return redirect(found)


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.ROLL_BACK)
def roll_back(request: Asked, job_id: UUID) -> HttpResponseBase:
    """Ask for the rollback of a job; what it would do is previewed, and somebody else must approve it."""
    found = _job_or_404(job_id)
    way, tables = _way_back(found), [table["name"].removeprefix("stg.") for table in effects.tables(found)]
    form = RollbackForm(request.POST or None, tables=tables, later=len(way.later) if way else 0)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(_ask_rollback(request.user, found, form.cleaned_data))
        except AlreadyActiveError as error:
            messages.warning(request, "Its run has an active job already. This is that job.")
            return redirect(error.job)
        except TellableError as error:
            form.add_error(None, str(error))
    refused = rollback_requests.can_be_asked(found)
    context = {"job": found, "form": form, "way": way, "refused": refused}
    return render(request, "jobs/rollback.html", context, status=422 if form.errors else 200)


def _ask_rollback(user: User, found: Job, wanted: dict[str, Any]) -> Job:
    return rollback_requests.ask(
        settings.WAREHOUSE_URL,
        found,
        reason=wanted["reason"],
        actor=user,
        with_later=wanted.get("with_later", False),
        tables=wanted.get("tables", ()),
    )


def _way_back(found: Job) -> WayBack | None:
    """None also where the warehouse cannot be asked: the page then says what the console knows, and where the job's
    kind tells its way back itself."""
    if kinds.of(found).describe is not None:
        return None
    try:
        with connect(settings.WAREHOUSE_URL, purpose="way back") as connection:
            return ways_back.of(connection, found)
    except (TellableError, psycopg.Error):
        return None
