"""Errors as problem details (RFC 9457): what happened, what it means for the data, what to do; never a traceback."""

import logging
from typing import Any

import psycopg
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, ProgrammingError
from django.http import Http404
from psycopg.errors import InsufficientPrivilege
from rest_framework import exceptions
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from approvals.confirming import NotConfirmedError
from approvals.gate import RefusedError
from audit import attempts, circumstances
from audit.transitions import StateChangedError
from jobs.submission import AlreadyActiveError
from reprocessing.blackouts import InBlackoutError
from warehouse.archive_sets import NoSuchSetError
from warehouse.errors import PassingError, TellableError, defect_of

log = logging.getLogger(__name__)
AWAY = (
    "The database did not answer, or took too long. Nothing was changed. Try again in a minute; if it stays so, check"
    " that its server is up."
)
NOT_GRANTED = (
    "The database role of this process may not do that. Nothing was changed. Who keeps the databases can run"
    " manage.py roles apply again."
)
WITHOUT_TRAIL = "The audit trail cannot be written, and without it nothing is done. Nothing was changed."
DEFECT = "Something in Restage is wrong, and it was noted. Nothing was changed by this request, or all of it was."
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Cannot be done",
    429: "Too many requests",
    500: "Defect",
    503: "Not available",
}
CONTENT_TYPE = "application/problem+json"


def answer(error: Exception, context: dict[str, Any]) -> Response:
    """What the API answers where a resource raises."""
    if isinstance(error, PermissionDenied | exceptions.PermissionDenied):
        attempts.refused(context["request"]._request, str(error))
    said = _said(error)
    told = exception_handler(error, context)  # for its headers
    headers = {name: value for name, value in told.items() if name != "Content-Type"} if told is not None else {}
    answered = Response(said, status=said["status"], headers=headers, content_type=CONTENT_TYPE)
    answered.exception = True
    return answered


def _said(error: Exception) -> dict[str, Any]:
    if isinstance(error, ValidationError):
        return problem(400, "What was asked cannot be understood. Nothing was changed.", errors=_plain(error.detail))
    if isinstance(error, APIException):
        return problem(error.status_code, _in_our_words(error))
    if isinstance(error, RecursionError):  # of the reader of JSON
        return problem(400, "The body goes too deep. Nothing was changed.")
    if isinstance(error, AlreadyActiveError):
        return problem(409, str(error), job=str(error.job.pk))
    if isinstance(error, RefusedError):
        return problem(409, f"Nothing was decided. {error}")
    for kinds, status in _OURS:
        if isinstance(error, kinds):
            return problem(status, str(error) or TITLES[status])
    return problem(*_of_the_machine(error))


def _in_our_words(error: APIException) -> str:
    if isinstance(error, exceptions.NotAuthenticated):
        return "Nobody is logged in. Send a token in the header Authorization: Token …, or the session of the console."
    if isinstance(error, exceptions.Throttled):
        return "Too many requests within a minute. Come again after the seconds that Retry-After says."
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "The body must be JSON, and the header Content-Type say so: application/json."
    return str(error.detail)


_OURS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int], ...] = (
    ((Http404, NoSuchSetError), 404),
    ((PermissionDenied, NotConfirmedError), 403),
    ((StateChangedError, InBlackoutError), 409),
)


def _of_the_machine(error: Exception) -> tuple[int, str]:
    if isinstance(error, PassingError | OperationalError | psycopg.OperationalError):
        return 503, AWAY
    if isinstance(error, InsufficientPrivilege):
        return 503, NOT_GRANTED
    if isinstance(error, ProgrammingError) and "audit_event" in str(error):
        return 503, WITHOUT_TRAIL
    if isinstance(error, TellableError):
        return 422, str(error)
    log.error("The API met a defect: %s", defect_of(error))
    return 500, DEFECT


def problem(status: int, detail: str, **more: Any) -> dict[str, Any]:
    """`request`: the id by which the trail and whoever looks into it know the request."""
    said = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail}
    return {**said, "request": circumstances.current().request_id, **more}


def _plain(detail: Any) -> Any:
    """Field → sentences, without the codes of the library."""
    if isinstance(detail, dict):
        return {str(name): _plain(said) for name, said in detail.items()}
    if isinstance(detail, list | tuple):
        return [_plain(said) for said in detail]
    return str(detail) if isinstance(detail, ErrorDetail | str) else detail
