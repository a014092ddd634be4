"""The dashboard at `/`, and its tables as files."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from access import rights, zones
from access.rights import Asked
from audit.transitions import write
from monitoring import dashboard, heartbeats, needs
from monitoring.needs import Need
from monitoring.tables import Table
from monitoring.wanted import DashboardFilter
from warehouse import registry
from warehouse.amounts import things, word

MOST_ROWS = 60  # of a table on the page; its CSV has all


@require_safe
@rights.requires(rights.SEE)
def home(request: Asked) -> HttpResponse:
    """What needs a person now, and how everything goes; asked by htmx, only its live part."""
    now = timezone.now()
    heartbeats.web(now)
    form = DashboardFilter(request.GET, registry.current())
    context: dict[str, Any] = {"form": form, "query": request.GET.urlencode(), "most_rows": MOST_ROWS}
    if form.is_valid():
        wanted = form.wanted(now)
        found = dashboard.shown(wanted)
        context |= {
            "wanted": wanted,
            "found": found,
            "needs": _needs(request, found, now),
            "may_export": rights.may(request.user, rights.EXPORT_FIGURES),
            "narrowed": bool(wanted.kept),
            "wider": f"{reverse('home')}?{wanted.query}",
        }
    part = "#live" if request.headers.get("HX-Target") == "live" and form.is_valid() else ""
    return render(request, f"monitoring/dashboard.html{part}", context)


def _needs(request: Asked, found: dashboard.Dashboard, now: datetime) -> list[Need]:
    """Files and runs come from the figures; the rest from whoever offers it."""
    lines = needs.now_for(request.user, now)
    if found.loads:
        failed, stuck = found.loads.failed, found.loads.stuck
        told = f"failed {word(failed, 'file waits', 'files wait')}"
        causes = things(found.loads.failed_causes, "cause")
        lines = [
            Need(failed, f"{told}, of {causes}", f"{reverse('discovery')}?why=failed"),
            Need(stuck, f"{word(stuck, 'load run is', 'load runs are')} stuck", f"{reverse('runs')}?state=stuck"),
            *lines,
        ]
    return sorted((need for need in lines if need.count), key=lambda need: need.state != needs.BAD)


@require_safe
@vary_on_headers("HX-Request")
@rights.requires(rights.SEE)
def one_table(request: Asked, table: str) -> HttpResponse:
    """One table of the dashboard, as a page; asked by htmx, the table alone."""
    form = DashboardFilter(request.GET, registry.current())
    if not form.is_valid():
        return redirect(f"{reverse('home')}?{request.GET.urlencode()}")
    now = timezone.now()
    context = {
        "wanted": form.wanted(now),
        "table": _table(form, table, now),
        "query": request.GET.urlencode(),
        "most_rows": MOST_ROWS,
        "may_export": rights.may(request.user, rights.EXPORT_FIGURES),
    }
    part = "#table" if "HX-Request" in request.headers else ""
    return render(request, f"monitoring/table_page.html{part}", context)


def _table(form: DashboardFilter, name: str, now: datetime) -> Table:
    found = next((table for table in dashboard.shown(form.wanted(now)).tables() if table.name == name), None)
    if found is None:
        raise Http404("There is no such table now.")
    return found


@require_POST
@rights.requires(rights.EXPORT_FIGURES)
def export(request: Asked, table: str) -> HttpResponseBase:
    """A table of the dashboard as CSV. POST: it leaves a trace."""
    now, query = timezone.now(), QueryDict(request.POST.get("query", "")[:1000])
    form = DashboardFilter(query, registry.current())
    if not form.is_valid():
        messages.error(request, "Nothing was exported: the filter cannot be used.")
        return redirect("home")
    found = _table(form, table, now)
    detail = {"table": table, "rows": len(found.rows), "filter": {name: str(v) for name, v in query.items() if v}}
    write(request.user, "figures exported", f"user:{request.user.pk}", detail)
    answer = StreamingHttpResponse(found.csv(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = (
        f'attachment; filename="restage-{table}-{timezone.localtime(now, zones.console()):%Y-%m-%d-%H%M}.csv"'
    )
    answer["Cache-Control"] = "no-store"
    return answer
