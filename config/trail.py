"""What the trail hears of a request: its circumstances, a refusal, and that without a trail nothing is done."""

from collections.abc import Callable
from uuid import uuid4

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from audit import attempts, circumstances, database
from config import addresses

Answer = Callable[[HttpRequest], HttpResponse]

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
API = "/api/"
WITHOUT_TRAIL = "The audit trail cannot be written"


class TrailMiddleware:
    """Runs a request in its circumstances; records the attempts that are refused.

    What changes something writes its event in the same transaction, and so fails without one; a request that would
    change something is not even begun where the database takes no events.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        how = circumstances.API if request.path.startswith(API) else circumstances.PAGE
        with circumstances.of(how, address=addresses.of(request), request_id=uuid4().hex) as around:
            allowed = request.method in SAFE or _may_write()
            answer = self.get_response(request) if allowed else _without_trail(request)
        answer.headers["X-Request-ID"] = around.request_id
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, PermissionDenied):
            try:
                attempts.refused(request, str(error))
            except DatabaseError:
                return _without_trail(request)
        if isinstance(error, ProgrammingError) and "audit_event" in str(error):
            return _without_trail(request)
        return None


def _may_write() -> bool:
    """Whether this role may add to the trail; where the database does not answer, the view will tell."""
    try:
        return database.may_add()
    except OperationalError:
        return True


def _without_trail(request: HttpRequest) -> HttpResponse:
    if request.path.startswith(API):
        detail = f"{WITHOUT_TRAIL}, and nothing is done without one. Nothing was changed."
        said = {"type": "about:blank", "title": "Not available", "status": 503, "detail": detail}
        return JsonResponse(said, status=503, content_type="application/problem+json")
    return render(
        request,
        "problem.html",
        {
            "title": WITHOUT_TRAIL,
            "happened": "The console's database refuses new entries in the trail, and nothing is done without one.",
            "means": "Nothing was changed.",
            "todo": "Tell who keeps the console's database: its role needs INSERT on audit_event.",
        },
        status=503,
    )
