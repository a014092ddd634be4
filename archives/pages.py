"""The pages of archives: the catalogue, one set, and the forms that ask for an archive and for a key."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from archives import acts, cold_pages, cold_tier, cutting, keeping, key_search
from archives.forms import ArchiveForm, ExpiryForm, KeyForm, ReasonForm, SearchForm
from archives.key_search import Held
from audit.models import Event
from jobs.models import Job
from warehouse import (
    archive_default,
    archive_expiry,
    archive_holds,
    archive_search,
    archive_sets,
    archiving,
    before_images,
    image_removal,
    registry,
)
from warehouse.archive_keys import NotAKeyError
from warehouse.archive_search import Entry, Sums, Wanted
from warehouse.archive_sets import ArchiveSet, NoSuchSetError
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.registry import Extract

PAGE_ROWS = 50


class Listing(Sequence[Entry]):
    """What a search finds, a page at a time."""

    def __init__(self, connection: psycopg.Connection, wanted: Wanted, found: Sums) -> None:
        self._connection, self._wanted, self._found = connection, wanted, found

    def __len__(self) -> int:
        return self._found.entries

    def __getitem__(self, places: Any) -> Any:
        first, most = places.start or 0, places.stop - (places.start or 0)
        return archive_search.search(self._connection, self._wanted, first=first, most=most)


@require_safe
@rights.requires(rights.SEE)
def archives(request: Asked) -> HttpResponse:
    """The catalogue, filtered, with what expires soon and what stands in the way."""
    now, known = timezone.now(), registry.current()
    form = SearchForm(request.GET, [extract.table for extract in known.extracts])
    wanted = form.wanted(now) if form.is_valid() else None
    query = request.GET.copy()
    query.pop("page", None)
    with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
        found = archive_search.sums(connection, wanted) if wanted else Sums(0, 0, 0)
        listing = Listing(connection, wanted, found) if wanted else []
        page = Paginator(listing, PAGE_ROWS).get_page(request.GET.get("page"))
        context = {
            "form": form,
            "page": page,
            "entries": list(page.object_list),
            "found": found,
            "query": query.urlencode(),
            "filtered": any(request.GET.dict().values()),
            "expiring": archive_search.expiring(connection, now),
            "growth": archive_search.growth(connection),
            "images": image_removal.account(connection),
            "image_days": before_images.KEPT_FOR.days,
            "stray": archive_default.stray(connection, known),
            "now": now,
            "may_find": rights.may(request.user, rights.RESTORE),
            "may_clean_up": rights.may(request.user, rights.CLEAN_UP),
        }
    return render(request, "archives/list.html", context)


def _set_or_404(connection: psycopg.Connection, set_id: UUID) -> ArchiveSet:
    try:
        return archive_sets.of_id(connection, set_id)
    except NoSuchSetError as error:
        raise Http404(str(error)) from error


@require_safe
@rights.requires(rights.SEE)
def archive_set(request: Asked, set_id: UUID) -> HttpResponse:
    """One set: what it holds of how much, whether it is sound, who keeps it and until when."""
    with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
        found = _set_or_404(connection, set_id)
        parts, holds = archive_sets.parts(connection, [set_id]), archive_holds.HOLDS.of(connection, set_id)
        users, expiries = archive_holds.users(connection, set_id), archive_expiry.history(connection, set_id)
    there = found.removed_at is None
    return render(
        request,
        "archives/set.html",
        {
            "set": found,
            "parts": parts,
            "holds": holds,
            "users": users,
            "expiries": expiries,
            "rows": sum(part.rows for part in parts),
            "size": sum(part.bytes for part in parts),
            "standing": [hold for hold in holds if hold.released_at is None],
            "job": Job.objects.filter(pk=found.job_id).first() if found.job_id else None,
            "events": Event.objects.filter(subject=f"archiveset:{set_id}").order_by("id"),
            "expired": found.expires_at < timezone.now(),
            "earliest": archive_expiry.earliest(found),
            "may_restore": there and rights.may(request.user, rights.RESTORE),
            "may_verify": there and any(part.hot for part in parts) and rights.may(request.user, rights.ARCHIVE),
            "may_hold": there and rights.may(request.user, rights.HOLD),
            "may_change": there and rights.may(request.user, rights.CLEAN_UP),
            "hold_form": ReasonForm(auto_id="id_hold_%s"),
            "expiry_form": ExpiryForm(auto_id="id_expiry_%s"),
            **cold_pages.context(found, parts, request.user),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.ARCHIVE)
def archive_run(request: Asked, load_run_id: UUID) -> HttpResponseBase:
    """Ask for an archive of a load run; the form shows what would be kept."""
    with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
        if archiving.extracts_of(connection, load_run_id) is None:
            raise Http404("There is no such load run.")
        owned = archiving.owned(connection, registry.current(), load_run_id)
    labels = {table: f"stg.{table}: {_of(rows, loaded)}" for table, (rows, loaded) in owned.items()}
    form = ArchiveForm(request.POST or None, labels)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            return redirect(
                keeping.ask(
                    settings.WAREHOUSE_URL,
                    load_run_id,
                    reason=data["reason"],
                    actor=request.user,
                    now=timezone.now(),
                    tables=data["tables"],
                    retention_days=data["days"],
                    cold=data["cold"],
                    dry_run=data["dry_run"],
                )
            )
        except TellableError as error:
            form.add_error(None, str(error))
    context = {"load_run_id": load_run_id, "form": form, "owned": owned, "rows": sum(r for r, _l in owned.values())}
    return render(request, "archives/archive.html", context, status=422 if form.errors else 200)


def _of(rows: int, loaded: int | None) -> str:
    return f"{rows:,} rows owned" if loaded is None else f"{rows:,} rows owned of {loaded:,} loaded"


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.RESTORE)
def find(request: Asked) -> HttpResponseBase:
    """In which archives a natural key is. The key comes by POST: it is in no URL and no log."""
    known = registry.current()
    tables = [extract.table for extract in known.extracts]
    chosen = request.GET.get("table", "")
    extract = known.of_table(chosen) if chosen in tables else None
    columns = list(extract.natural_key) if extract else []
    form = KeyForm(request.POST if request.method == "POST" else None, columns)
    found: dict[str, Any] = {"found": None}
    if extract and request.method == "POST" and form.is_valid():
        try:
            found = _found(request, extract, {name: form.cleaned_data[name] for name in columns})
        except NotAKeyError as error:
            form.add_error(None, str(error))
    answer = render(
        request,
        "archives/find.html",
        {"form": form, "tables": tables, "table": chosen if extract else "", **found},
        status=422 if form.errors else 200,
    )
    answer["Cache-Control"] = "no-store"
    return answer


def _found(request: Asked, extract: Extract, key: dict[str, str]) -> dict[str, Any]:
    """Where the key is, or may be; with `exact` the files of cold sets are read."""
    url, exact = settings.WAREHOUSE_URL, request.POST.get("exact") == "on"
    if exact:
        found = key_search.find_in_files(url, cold_tier.tier(), extract, key, actor=request.user)
    else:
        found = key_search.find(url, extract, key, actor=request.user)
    return {
        "found": [hit for hit in found if hit.held != Held.NO],
        "sure": sum(hit.held == Held.YES for hit in found),
        "cold": sum(hit.held in (Held.MAYBE, Held.UNREAD) for hit in found),
        "ruled_out": sum(hit.held == Held.NO for hit in found),
    }


@require_POST
@rights.requires(rights.ARCHIVE)
def verify(request: Asked, set_id: UUID) -> HttpResponseBase:
    """Read the hot rows and make their hashes anew, now."""
    try:
        found = acts.verify(settings.WAREHOUSE_URL, set_id, actor=request.user)
    except NoSuchSetError as error:
        raise Http404(str(error)) from error
    except psycopg.errors.QueryCanceled:
        messages.warning(request, f"It takes longer than {acts.VERIFY_SECONDS} s: nothing is known yet.")
        return redirect("archive_set", set_id)
    if broken := sorted(table for table, proof in found.items() if not proof.holds):
        told = ", ".join(f"stg.{table}" for table in broken)
        messages.error(request, f"Not sound: {told}. What differs stands below; do not restore from it.")
    elif found:
        messages.success(request, "Sound: every row is there, and every hash made anew is the one that was kept.")
    else:
        messages.info(request, "None of its parts is hot: there was nothing to verify here.")
    return redirect("archive_set", set_id)


@require_POST
@rights.requires(rights.CLEAN_UP)
def expiry(request: Asked, set_id: UUID) -> HttpResponseBase:
    """Let a set expire later, at once; or sooner, by a job that somebody else must approve."""
    form = ExpiryForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was changed: give a day and say why.")
        return redirect("archive_set", set_id)
    url, why, until = settings.WAREHOUSE_URL, form.cleaned_data["reason"], form.until()
    try:
        with connect(url, purpose="archives") as connection:
            sooner = until < _set_or_404(connection, set_id).expires_at
        if sooner:
            return redirect(cutting.ask(url, set_id, expires_at=until, reason=why, actor=request.user))
        acts.extend(url, set_id, expires_at=until, why=why, actor=request.user)
        messages.success(request, f"Kept until {until:%Y-%m-%d}.")
    except TellableError as error:
        messages.error(request, str(error))
    return redirect("archive_set", set_id)
