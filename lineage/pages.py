"""The pages of lineage: the tables with a search by key, a load run, a file with its records, and a row's story."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from access import rights
from access.rights import Asked
from lineage import emitting, forward, pictures, report, tracing
from lineage.forms import WHY, PurposeForm, TraceForm
from lineage.forward import Forward
from lineage.people import Behind
from lineage.tracing import NotFoundError, Story
from warehouse import column_rules, downstream, fates, registry
from warehouse.archive_keys import NotAKeyError
from warehouse.chains import Link
from warehouse.connections import connect

PAGE_RECORDS = 50
MOST_REPLACING = 20


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.SEE)
def tables(request: Asked) -> HttpResponseBase:
    """How tables come from one another, and the search for a row. Its key comes by POST: it is in no URL and no log."""
    known, may_trace = registry.current(), rights.may(request.user, rights.TRACE)
    names = sorted(extract.table for extract in known.extracts)
    chosen = request.GET.get("table", "")
    extract = known.of_table(chosen) if chosen in names else None
    form = TraceForm(request.POST if request.method == "POST" else None, list(extract.natural_key) if extract else [])
    if request.method == "POST":
        rights.demand(request.user, rights.TRACE)
    if extract and request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        why = data.pop(WHY)
        try:
            story = tracing.of_key(settings.WAREHOUSE_URL, extract, data, purpose=why, actor=request.user)
            return _story(request, story)
        except NotAKeyError as error:
            form.add_error(None, str(error))
    with connect(settings.WAREHOUSE_URL, purpose="lineage") as connection:
        stale = downstream.look(connection, known)
    context = {
        "drawing": pictures.of_tables(known, stale),
        "tables": names,
        "table": chosen if extract else "",
        "form": form,
        "may_trace": may_trace,
        "places": emitting.standing(),
    }
    return _unkept(render(request, "lineage/tables.html", context, status=422 if form.errors else 200))


@require_safe
@rights.requires(rights.SEE)
def run(request: Asked, load_run_id: UUID) -> HttpResponse:
    """What of a load run stands today, and which runs replaced the rest."""
    try:
        found = forward.of_run(settings.WAREHOUSE_URL, load_run_id, actor=request.user)
    except NotFoundError as error:
        raise Http404(str(error)) from error
    context = {"run": load_run_id, "found": found, "drawing": pictures.of_run(found), **_forward(found)}
    return render(request, "lineage/run.html", context)


@require_safe
@rights.requires(rights.SEE)
def file(request: Asked, file: int) -> HttpResponse:
    """What of a file stands today, and what became of each of its records, keys masked."""
    after = _number(request.GET.get("after", ""))
    try:
        found = forward.of_file(settings.WAREHOUSE_URL, file, actor=request.user)
    except NotFoundError as error:
        raise Http404(str(error)) from error
    (link,), known = found.links, registry.current()
    standings = []
    if link.extract_type in known:
        with connect(settings.WAREHOUSE_URL, purpose="lineage") as connection:
            standings = fates.standings(connection, known[link.extract_type], file, after=after, most=PAGE_RECORDS + 1)
    shown = standings[:PAGE_RECORDS]
    context = {
        "link": link,
        "found": found,
        "drawing": pictures.of_file(found),
        **_forward(found),
        "attempts": [one for one in found.around.values() if one.original == link.original],
        "standings": [(one, found.around.get(one.owner or 0)) for one in shown],
        "next": shown[-1].record_no if len(standings) > PAGE_RECORDS else None,
        "after": after,
        "may_trace": rights.may(request.user, rights.TRACE),
    }
    return _unkept(render(request, "lineage/file.html", context))


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.TRACE)
def record(request: Asked, file: int, record_no: int) -> HttpResponseBase:
    """The story of the key that a record names. By POST: with its values in clear, or compared with the file."""
    url, form, checks = settings.WAREHOUSE_URL, PurposeForm(request.POST or None), "check" in request.POST
    try:
        if request.method == "POST" and not checks and form.is_valid():
            why = form.cleaned_data["purpose"]
            return _story(request, tracing.reveal(url, file, record_no, purpose=why, actor=request.user))
        story = tracing.of_record(url, file, record_no, actor=request.user, check_file=checks)
    except NotFoundError as error:
        raise Http404(str(error)) from error
    return _story(request, story, PurposeForm() if checks else form)


def _forward(found: Forward) -> dict[str, Any]:
    """Of each table the attempts that replaced its rows, and the jobs."""
    tables = [
        (name, fate, [(found.around[file], keys) for file, keys in fate.replaced.most_common(MOST_REPLACING)])
        if fate
        else (name, None, [])
        for name, fate in found.fates.items()
    ]
    return {"tables": tables, "replaced": any(by for _name, _fate, by in tables), **_people(found.jobs.values())}


def _people(jobs: Iterable[Behind]) -> dict[str, Any]:
    """`known`: the jobs that have a page here."""
    found = list(jobs)
    return {"jobs": found, "known": {one.job for one in found if one.state}}


def _story(request: Asked, story: Story, form: PurposeForm | None = None) -> HttpResponse:
    trace = story.trace
    shown = trace.maker or next(iter(trace.records), None)
    context: dict[str, Any] = {
        "story": story,
        "trace": trace,
        "link": story.link,
        "drawing": pictures.of_row(story),
        "decider": _decider(story),
        "why_not": report.why_not(story),
        "record": shown,
        "columns": [(made, story.values.get(made.column)) for made in column_rules.made(trace.extract)],
        "links": list(trace.links.values()),
        "records": [(one, trace.links[one.load_run_file_id]) for one in trace.records],
        **_people(story.jobs.values()),
        "form": form or PurposeForm(),
        "may_reveal": bool(shown and shown.record_no) and rights.may(request.user, rights.REVEAL),
    }
    status = 422 if form is not None and form.errors else 200
    return _unkept(render(request, "lineage/row.html", context, status=status))


def _decider(story: Story) -> Link | None:
    """The attempt whose record decides the key now, where it is not the one that the row was made of."""
    now, maker = story.trace.in_force, story.trace.maker
    return story.trace.links[now.load_run_file_id] if now and maker and now != maker else None


def _unkept(answer: HttpResponse) -> HttpResponse:
    """What speaks of single rows is kept by no cache."""
    answer["Cache-Control"] = "no-store"
    return answer


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
