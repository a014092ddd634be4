"""`/metrics` for Prometheus, and `/healthz`: up or not for anybody, the parts for who may read the figures."""

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from access import rights
from monitoring import doors, heartbeats, metrics, processes


@login_not_required
@require_safe
def prometheus(request: HttpRequest) -> HttpResponse:
    """Every figure; 403 for who has neither the token nor, where none is set, asks from this machine."""
    now = timezone.now()
    if not doors.may_read(request):
        told = "Send the token of RESTAGE_METRICS_TOKEN, or ask from this machine where none is set.\n"
        return HttpResponse(told, status=403, content_type="text/plain; charset=utf-8")
    heartbeats.web(now)
    return HttpResponse(metrics.exposition(now), content_type="text/plain; version=0.0.4; charset=utf-8")


@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when the console's database answers, 503 when not: all that anybody is told. Who may see load runs, or has
    the token of the metrics, is told of the parts, too; what is wrong with these does not change the status, as this
    process can still answer."""
    now = timezone.now()
    try:
        connection.ensure_connection()
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "unreachable"}, status=503)
    heartbeats.web(now)
    if not _may_see_parts(request):
        return JsonResponse({"status": "ok"})
    return JsonResponse({"status": "ok", **processes.look(now).as_json()})


def _may_see_parts(request: HttpRequest) -> bool:
    return rights.may(request.user, rights.SEE) or doors.has_token(request)
