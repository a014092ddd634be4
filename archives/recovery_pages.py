"""The pages of recovery: how every way back stands and was proved, the ladder of a run or a table, and its forms."""

import secrets
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from archives import backing_up, drills, ladder, recovering, recovery_shown
from archives.recover_forms import LadderForm, RecoverForm
from jobs.models import Job
from warehouse import registry, rung_sources
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.rung_sources import Scope


@require_safe
@rights.requires(rights.SEE)
def recovery(request: Asked) -> HttpResponseBase:
    """How each rung stands, when it was proved and how long it took, the base backups; and which ladder to see."""
    form = LadderForm(request.GET or None, _tables())
    if form.is_valid() and (chosen := _chosen(form)):
        return chosen
    now = timezone.now()
    with connect(settings.WAREHOUSE_URL, purpose="recovery") as connection:
        context = recovery_shown.overview(connection, now)
    context |= {"form": form, "now": now, "may_act": rights.may(request.user, rights.RESTORE)}
    return render(request, "recovery/overview.html", context, status=422 if form.errors else 200)


def _tables() -> list[str]:
    return [extract.table for extract in registry.current().extracts]


def _chosen(form: LadderForm) -> HttpResponseBase | None:
    if run := form.cleaned_data["run"]:
        return redirect("run_ladder", run)
    table = form.cleaned_data["table"]
    return redirect("table_ladder", table) if table else None


@require_safe
@rights.requires(rights.SEE)
def of_run(request: Asked, load_run_id: UUID) -> HttpResponse:
    """The ladder of a load run."""
    with connect(settings.WAREHOUSE_URL, purpose="recovery") as connection:
        if not rung_sources.run_is_known(connection, load_run_id):
            raise Http404("There is no such load run.")
        feeds = rung_sources.tables_of_run(connection, registry.current(), load_run_id)
        return _ladder(request, connection, Scope(run=load_run_id), {"load_run_id": load_run_id, "feeds": feeds})


@require_safe
@rights.requires(rights.SEE)
def of_table(request: Asked, table: str) -> HttpResponse:
    """The ladder of a table of staging."""
    if table not in _tables():
        raise Http404("There is no such table.")
    with connect(settings.WAREHOUSE_URL, purpose="recovery") as connection:
        return _ladder(request, connection, Scope(table=table), {"table": table})


def _ladder(request: Asked, connection: psycopg.Connection, scope: Scope, more: dict[str, Any]) -> HttpResponse:
    rungs = ladder.of(connection, registry.current(), scope, timezone.now())
    first = next((rung for rung in rungs if rung.can), None)
    leads = (rights.RESTORE, rights.ROLL_BACK, rights.REPROCESS)
    may = [right for right in leads if rights.may(request.user, right)]
    context = {"rungs": rungs, "first": first, "most": ladder.MOST, "may": may, **more}
    return render(request, "recovery/ladder.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.RESTORE)
def recover(request: Asked) -> HttpResponseBase:
    """Ask for rows as they were at a moment, or just before a job."""
    form = RecoverForm(request.POST or None, _tables(), initial=request.GET.dict())
    if request.method == "POST" and form.is_valid() and (job := _ask(request, form)):
        return redirect(job)
    with connect(settings.WAREHOUSE_URL, purpose="recovery") as connection:
        shown = recovery_shown.window(connection, timezone.now())
    return render(request, "recovery/recover.html", {"form": form, **shown}, status=422 if form.errors else 200)


def _ask(request: Asked, form: RecoverForm) -> Job | None:
    """The job, or None with the reason added to the form."""
    try:
        with connect(settings.WAREHOUSE_URL, purpose="plan") as connection:
            return recovering.ask(
                connection,
                form.asked(),
                reason=form.cleaned_data["reason"],
                actor=request.user,
                now=timezone.now(),
                dry_run=form.cleaned_data["dry_run"],
            )
    except TellableError as error:
        form.add_error(None, str(error))
        return None


@require_POST
@rights.requires(rights.RESTORE)
def drill(request: Asked) -> HttpResponseBase:
    """Have the rungs tried now."""
    return redirect(drills.ask(request.user, reason="Drill by hand", seed=secrets.randbits(32)))


@require_POST
@rights.requires(rights.RESTORE)
def back_up(request: Asked) -> HttpResponseBase:
    """Have a base backup taken now."""
    try:
        return redirect(backing_up.ask(request.user, reason="Asked for by hand"))
    except TellableError as error:
        messages.error(request, str(error))
        return redirect("recovery")
