"""The pages of a restore: choose a set, say how, see what it would do, confirm; and let raw decide again."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from archives import restore_requests
from archives.restore_forms import ChooseForm, ReasonForm, RestoreForm
from jobs.models import Job
from jobs.submission import AlreadyActiveError
from warehouse import archive_sets, archive_sources
from warehouse.archive_sets import ArchiveSet, Part
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.restoring import RESTORE

MOST_SETS = 100


@require_safe
@rights.requires(rights.RESTORE)
def choose(request: Asked) -> HttpResponse:
    """The sets that can be restored, newest first; of a load run and a table if asked."""
    form = ChooseForm(request.GET or None)
    wanted = form.cleaned_data if form.is_valid() else {}
    with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
        found = archive_sources.listed(connection, wanted.get("run"), _bare(wanted.get("table", "")), MOST_SETS)
        parts = archive_sets.parts(connection, [one.set_id for one in found])
    entries = [_entry(one, [part for part in parts if part.set_id == one.set_id]) for one in found]
    context = {"form": form, "sets": entries, "most": len(found) == MOST_SETS, "narrowed": form.is_bound}
    return render(request, "archives/choose.html", context, status=422 if form.errors else 200)


def _bare(table: str) -> str:
    return table.strip().removeprefix("stg.")


def _entry(found: ArchiveSet, parts: list[Part]) -> dict[str, Any]:
    return {"set": found, "parts": parts, "rows": sum(part.rows for part in parts)}


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.RESTORE)
def restore(request: Asked, set_id: UUID) -> HttpResponseBase:
    """Say how a set is to be put back; what that would do is worked out first, and confirmed on the job's page."""
    try:
        with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
            found, parts = archive_sets.of_id(connection, set_id), archive_sources.chosen(connection, set_id)
    except TellableError as error:
        messages.error(request, str(error))
        return redirect("choose_set")
    form = RestoreForm(request.POST or None, parts=parts)
    if request.method == "POST" and form.is_valid() and (job := _ask(request, form, set_id)):
        return redirect(job)
    context = {"set": found, "parts": parts, "form": form, "rows": sum(part.rows for part in parts)}
    return render(request, "archives/restore.html", context, status=422 if form.errors else 200)


def _ask(request: Asked, form: RestoreForm, set_id: UUID) -> Job | None:
    """The dry run, or None with the reason added to the form."""
    try:
        return restore_requests.ask(
            settings.WAREHOUSE_URL,
            form.wanted(set_id),
            reason=form.cleaned_data["reason"],
            actor=request.user,
            dry_run=True,
        )
    except AlreadyActiveError as error:
        messages.warning(request, "Another job is about the load run of this set. This is that job.")
        return error.job
    except TellableError as error:
        form.add_error(None, str(error))
        return None


@require_POST
@rights.requires(rights.RESTORE)
def confirm(request: Asked, job_id: UUID) -> HttpResponseBase:
    """Do what the dry run has shown."""
    shown = get_object_or_404(Job.objects.select_related("plan"), pk=job_id, kind=RESTORE)
    try:
        asked = restore_requests.confirm(settings.WAREHOUSE_URL, shown, actor=request.user)
        messages.success(request, "Asked for. It does exactly what the dry run has shown, or nothing.")
        return redirect(asked)
    except AlreadyActiveError as error:
        messages.warning(request, "Another job is about the load run of this set. This is that job.")
        return redirect(error.job)
    except TellableError as error:
        messages.error(request, str(error))
        return redirect(shown)


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.RESTORE)
def unpin(request: Asked, job_id: UUID) -> HttpResponseBase:
    """Ask for raw to decide again over what a restore keeps; somebody else must approve it."""
    restored = get_object_or_404(Job.objects.select_related("plan"), pk=job_id, kind=RESTORE)
    form = ReasonForm(request.POST or None)
    pinned = restore_requests.pinned(settings.WAREHOUSE_URL, restored)
    if request.method == "POST" and form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            return redirect(
                restore_requests.ask_unpin(settings.WAREHOUSE_URL, restored, reason=reason, actor=request.user)
            )
        except AlreadyActiveError as error:
            messages.warning(request, "Another job is about its load run. This is that job.")
            return redirect(error.job)
        except TellableError as error:
            form.add_error(None, str(error))
    context = {"job": restored, "form": form, "pinned": pinned, "rows": sum(pinned.values())}
    return render(request, "archives/unpin.html", context, status=422 if form.errors else 200)
