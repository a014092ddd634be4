"""The pages of retention and cleanup: the rules, what would go now and what stays, and rows in the wrong place."""

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from access import rights
from access.rights import Asked
from archives import acts, cleaning, retaining
from archives.forms import CleanupForm, RetentionForm
from jobs.models import Job
from warehouse import archive_retention, registry
from warehouse.archive_judging import Verdict
from warehouse.connections import connect
from warehouse.errors import TellableError


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.CLEAN_UP)
def retention(request: Asked) -> HttpResponseBase:
    """For how long archives are kept, by table and by reason; a new rule counts for what is archived from then on, and
    for the sets that are there if that is asked for."""
    form = RetentionForm(request.POST or None, [extract.table for extract in registry.current().extracts])
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            if data["existing"]:
                return redirect(_for_all(data, request))
            acts.set_retention(
                settings.WAREHOUSE_URL,
                table=data["table"],
                words=data["words"],
                days=data["days"],
                why=data["reason"],
                actor=request.user,
                now=timezone.now(),
            )
            messages.success(request, f"Kept for {data['days']:,} days from now on. Sets that are there stay as set.")
            return redirect("retention")
        except TellableError as error:
            form.add_error(None, str(error))
    with connect(settings.WAREHOUSE_URL, purpose="retention") as connection:
        rules = archive_retention.rules(connection)
    context = {
        "form": form,
        "rules": rules,
        "default": max(archive_retention.DEFAULT_DAYS, archive_retention.LEAST_DAYS),
        "least": archive_retention.LEAST_DAYS,
    }
    return render(request, "archives/retention.html", context, status=422 if form.errors else 200)


def _for_all(data: dict[str, Any], request: Asked) -> Job:
    """The job that sets the rule and moves the sets that are there."""
    said = {"table": data["table"], "words": data["words"], "days": data["days"], "why": data["reason"]}
    return retaining.ask(**said, actor=request.user, now=timezone.now())


@require_POST
@rights.requires(rights.CLEAN_UP)
def drop_retention(request: Asked) -> HttpResponse:
    table, words = request.POST.get("table", "")[:100], request.POST.get("words", "")[:100]
    if "\0" not in table + words and acts.drop_retention(
        settings.WAREHOUSE_URL, table=table, words=words, actor=request.user
    ):
        messages.success(request, "The rule is removed. Sets that are there keep their expiry.")
    else:
        messages.warning(request, "There is no such rule any more.")
    return redirect("retention")


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.CLEAN_UP)
def clean_up(request: Asked) -> HttpResponseBase:
    """What a cleanup would remove now and what stays, each with its reason; and the form that asks for it."""
    now = timezone.now()
    form = CleanupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            return redirect(
                cleaning.ask(
                    settings.WAREHOUSE_URL,
                    reason=data["reason"],
                    actor=request.user,
                    now=now,
                    older_than=data["older_than"],
                    dry_run=data["dry_run"],
                )
            )
        except TellableError as error:
            form.add_error(None, str(error))
    older_than = form.cleaned_data.get("older_than") if form.is_bound else None
    verdicts = cleaning.judge(settings.WAREHOUSE_URL, now, older_than)
    going = [verdict for verdict in verdicts if verdict.goes]
    context = {
        "form": form,
        "going": going,
        "staying": [verdict for verdict in verdicts if not verdict.goes],
        "sums": _sums(verdicts),
        "asks": cleaning.asks(going),
        "verdicts": verdicts,
    }
    return render(request, "archives/clean_up.html", context, status=422 if request.method == "POST" else 200)


def _sums(verdicts: list[Verdict]) -> list[dict[str, Any]]:
    """Sets, rows and bytes by verdict, what goes first."""
    grouped: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        grouped[verdict.code].append(verdict)
    told = [
        {
            "code": code,
            "goes": found[0].goes,
            "sets": len(found),
            "rows": sum(verdict.facts.rows for verdict in found),
            "bytes": sum(verdict.facts.bytes for verdict in found),
        }
        for code, found in grouped.items()
    ]
    return sorted(told, key=lambda row: (not row["goes"], -row["sets"]))


@require_POST
@rights.requires(rights.CLEAN_UP)
def move_stray(request: Asked) -> HttpResponse:
    """Put the rows of default partitions into their months."""
    moved = acts.move_stray(settings.WAREHOUSE_URL, actor=request.user)
    messages.success(request, f"Moved {moved:,} rows into their months.")
    return redirect("archives")
