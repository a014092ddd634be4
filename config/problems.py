"""Errors that a page tells in its own words: the warehouse is away, or something cannot be done now."""

from collections.abc import Callable

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from psycopg.errors import InsufficientPrivilege

from warehouse.connections import UnreachableWarehouseError

Answer = Callable[[HttpRequest], HttpResponse]


class ProblemMiddleware:
    """Turns a database that does not answer into a page that says so."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, InsufficientPrivilege):
            return _not_granted(request)
        if not isinstance(error, OperationalError | UnreachableWarehouseError):
            return None
        return render(
            request,
            "problem.html",
            {
                "title": "The warehouse does not answer",
                "happened": "Restage could not reach the database of the warehouse, or it took too long to answer.",
                "means": "Nothing was changed. Jobs that were publishing are either published whole or not at all.",
                "todo": "Try again in a minute. If it stays so, check that the server named by"
                " RESTAGE_WAREHOUSE_URL is up.",
            },
            status=503,
        )


def _not_granted(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "problem.html",
        {
            "title": "The warehouse refuses it",
            "happened": "The database role of this process may not do that in the warehouse.",
            "means": "Nothing was changed.",
            "todo": "Have a worker's role do it by command, or let who keeps the databases run manage.py roles apply"
            " again: it grants what each process needs.",
        },
        status=503,
    )
