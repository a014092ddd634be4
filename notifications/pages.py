"""The inbox of a person, and what they choose to hear of."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from notifications import choices, inbox, undelivered
from notifications.forms import ChoiceForm
from notifications.models import Topic

PAGE_ROWS = 50


@require_safe
@rights.requires(rights.SEE)
def entries(request: Asked) -> HttpResponse:
    """What was told to this person, newest first."""
    found = inbox.of(request.user)
    only_unread = "unread" in request.GET
    page = Paginator(found.filter(read_at=None) if only_unread else found, PAGE_ROWS).get_page(request.GET.get("page"))
    manages = rights.may(request.user, rights.MANAGE_CHANNELS)
    return render(
        request,
        "notifications/inbox.html",
        {
            "page": page,
            "query": "unread=1" if only_unread else "",
            "only_unread": only_unread,
            "unread": inbox.unread(request.user),
            "newest": max((entry.pk for entry in page), default=0),
            "may_manage": manages,
            "dead": undelivered.dead().count() if manages else 0,
        },
    )


@require_POST
@rights.requires(rights.SEE)
def read(request: Asked, pk: int) -> HttpResponseBase:
    """Mark an entry as read; with "open" go on to what it is about."""
    entry = inbox.read(request.user, pk, timezone.now())
    if entry is None:
        raise Http404("There is no such entry in your inbox.")
    return redirect(entry.path if "open" in request.POST else "notifications")


@require_POST
@rights.requires(rights.SEE)
def read_all(request: Asked) -> HttpResponseBase:
    """Mark as read what was on the page when the button was pressed, and everything older."""
    newest = request.POST.get("newest", "")
    number = int(newest) if newest.isascii() and newest.isdigit() and len(newest) < 19 else 0
    count = inbox.read_all(request.user, timezone.now(), up_to=number)
    messages.success(request, f"{count:,} marked as read.")
    return redirect("notifications")


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.SEE)
def mine(request: Asked) -> HttpResponseBase:
    """What this person hears of, and by which way."""
    known, ways = choices.of(request.user), choices.ways()
    initial = {"email": request.user.email, "of_others": known.of_others}
    form = ChoiceForm(request.POST if request.method == "POST" else None, ways, initial)
    if request.method == "POST" and form.is_valid():
        choices.save(
            request.user,
            wanted=form.wanted(),
            of_others=form.cleaned_data["of_others"],
            email=form.cleaned_data["email"],
        )
        messages.success(request, "Saved.")
        return redirect("my_notifications")
    chosen = form.wanted() if request.method == "POST" else known.wanted
    rows = [(value, label, [(way, way.id in chosen.get(value, ())) for way in ways]) for value, label in Topic.choices]
    context = {"form": form, "ways": ways, "rows": rows, "chosen": known.pk is not None}
    return render(request, "notifications/mine.html", context, status=422 if form.errors else 200)
