"""What core has not taken over yet: the list, its export, and a person's word that it is dealt with."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from reprocessing import acts, merge_lists
from reprocessing.forms import ReasonForm
from warehouse import downstream as stale
from warehouse import registry
from warehouse.amounts import things
from warehouse.connections import connect
from warehouse.registry import Extract

LINES_AT_ONCE = 500


def _extract_or_404(name: str) -> Extract:
    known = registry.current()
    if name not in known:
        raise Http404("There is no such extract.")
    return known[name]


@require_safe
@rights.requires(rights.SEE)
def downstream(request: Asked) -> HttpResponse:
    """What is stale since when, how many changes of keys, and of which load runs a merge would resolve it."""
    known = registry.current()
    with connect(settings.WAREHOUSE_URL, purpose="downstream") as connection:
        found = stale.look(connection, known)
    return render(
        request,
        "downstream/list.html",
        {
            "found": [(entry, known.dependants(entry.extract_type)) for entry in found],
            "changes": sum(entry.changes for entry in found),
            "deleted": sum(entry.deleted for entry in found),
            "most_keys": stale.MOST_KEYS,
            "may_say": rights.may(request.user, rights.REMERGE),
            "may_export": rights.may(request.user, rights.EXPORT_KEYS),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.SEE)
def export(request: Asked, extract: str) -> HttpResponseBase:
    """The re-merge list as CSV: hashes of the keys by GET; the keys in clear by POST, with the right, in the trail."""
    chosen, in_clear = _extract_or_404(extract), request.method == "POST"
    if in_clear:
        acts.note_export([chosen], actor=request.user)
    answer = StreamingHttpResponse(_lines(chosen, in_clear=in_clear), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="re-merge-{chosen.table}.csv"'
    answer["Cache-Control"] = "no-store"
    return answer


def _lines(extract: Extract, *, in_clear: bool) -> Iterator[str]:
    """Some hundred at once."""
    with connect(settings.WAREHOUSE_URL, purpose="re-merge list") as connection:
        found = merge_lists.lines(connection, [extract], in_clear=in_clear)
        while some := "".join(islice(found, LINES_AT_ONCE)):
            yield some


@require_POST
@rights.requires(rights.REMERGE)
def merged(request: Asked, extract: str) -> HttpResponseBase:
    """A person says that core holds what was shown as stale."""
    chosen, form, seen = _extract_or_404(extract), ReasonForm(request.POST), _moment(request.POST.get("seen", ""))
    if not form.is_valid() or seen is None:
        messages.error(request, "Nothing was taken from the list: say how core came to hold these keys.")
    else:
        changes = acts.say_merged(
            settings.WAREHOUSE_URL, chosen, seen=seen, reason=form.cleaned_data["reason"], actor=request.user
        )
        messages.success(
            request,
            f"{things(changes, 'change')} of keys of {chosen.name} taken from the list.",
        )
    return redirect("downstream")


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
