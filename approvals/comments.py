"""What people say about a request; it goes along to the request about the plan that is made in its place."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from access import rights
from approvals.models import Comment, Request
from audit.transitions import record

LONGEST_CHAIN = 50
SHOWN = 30  # on the page of a job; a page of its own has all


def add(request: Request, author: User, text: str) -> Comment:
    """What was said last, by the same person in the same words, is not said again. Raises PermissionDenied. The trail
    keeps that something was said; the words stay with the request."""
    rights.demand(author, rights.DISCUSS)
    with transaction.atomic():
        last = Request.objects.select_for_update().get(pk=request.pk).comments.last()
        if last and (last.author_id, last.text) == (author.pk, text):
            return last
        made = Comment.objects.create(request=request, author=author, text=text)
        record(author, "comment added", request, {"letters": len(text)})
    return made


def chain(request: Request) -> list[Request]:
    """The request and those that it follows, newest first."""
    found = [request]
    while (former := found[-1].follows) is not None and len(found) < LONGEST_CHAIN:
        found.append(former)
    return found


def thread(request: Request) -> QuerySet[Comment]:
    """All that was said about it and about the plans that it is in place of, oldest first."""
    about = [one.pk for one in chain(request)]
    return Comment.objects.filter(request__in=about).select_related("author")


@dataclass(frozen=True)
class Last:
    """What was said last, oldest first; `earlier`: how much was said before it."""

    comments: list[Comment]
    earlier: int


def last(request: Request) -> Last:
    """As much of the thread as stands on the page of its job."""
    found = thread(request)
    newest = list(found.reverse()[:SHOWN])
    return Last(newest[::-1], found.count() - len(newest) if len(newest) == SHOWN else 0)
