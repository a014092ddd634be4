"""The trail: the page of events with its filters and saved views, the export, and the check of the seals."""

from urllib.parse import parse_qsl, urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from access import rights, zones
from access.rights import Asked
from audit import export, telling, trail, verification
from audit.circumstances import WAYS
from audit.models import Event, Seal, View
from audit.reasons import said
from audit.trail import Filter
from audit.transitions import write

PAGE_ROWS = 50
MOST_VIEWS = 30


def _people() -> list[tuple[str, str]]:
    return [("", "Anybody"), *((name, name) for name in trail.people())]


def _actions() -> list[tuple[str, str]]:
    return [("", "Any"), *((name, name) for name in trail.actions())]


class FilterForm(forms.Form):
    person = forms.ChoiceField(required=False, label="Person", choices=_people)
    action = forms.ChoiceField(required=False, label="Action", choices=_actions)
    about = forms.CharField(required=False, max_length=100, label="Object")
    result = forms.ChoiceField(required=False, choices=[("", "Any"), *Event.Result.choices], label="Result")
    how = forms.ChoiceField(
        required=False, choices=[("", "Any"), *((way, capfirst(telling.door(way))) for way in WAYS)], label="Way"
    )
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))


def _asked(request: HttpRequest) -> Filter:
    return Filter(**{name: request.GET.get(name, "").strip()[:100] for name in trail.FILTERS})


@require_safe
@rights.requires(rights.SEE_TRAIL)
def events(request: Asked) -> HttpResponse:
    """Events, newest first."""
    chosen, form = _asked(request), FilterForm(request.GET)
    found = Event.objects.none() if chosen.problems else chosen.events()
    return render(
        request,
        "audit/list.html",
        {
            "form": form,
            "chosen": chosen,
            "query": urlencode(chosen.given),
            "page": Paginator(found, PAGE_ROWS).get_page(request.GET.get("page")),
            "newest": Seal.objects.order_by("-number").defer("leaves").first(),
            "views": View.objects.filter(owner=request.user),
            "may_export": rights.may(request.user, rights.EXPORT_TRAIL),
        },
    )


@require_POST
@rights.requires(rights.EXPORT_TRAIL)
def take_out(request: Asked) -> HttpResponseBase:
    """The events of a filter as a file. POST: it leaves a trace."""
    chosen = _of_query(request.POST.get("query", ""))
    form = request.POST.get("format", "")
    if form not in export.FORMATS or chosen.problems:
        messages.error(request, "Nothing was exported: the filter or the format cannot be used.")
        return redirect("audit")
    found = export.begin(chosen, actor=request.user, form=form)
    answer = StreamingHttpResponse(export.FORMATS[form].lines(found), content_type=export.FORMATS[form].content_type)
    name = f"restage-trail-{timezone.localtime(timezone=zones.console()):%Y-%m-%d-%H%M}.{form}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _of_query(query: str) -> Filter:
    given = dict(parse_qsl(query))
    return Filter(**{name: given.get(name, "") for name in trail.FILTERS})


@require_POST
@rights.requires(rights.SEE_TRAIL)
def verify(request: Asked) -> HttpResponse:
    """Compare every event with its seal, now."""
    verdict = verification.verify()
    first = verdict.findings[0].event if verdict.findings else None
    write(
        request.user,
        "trail verified",
        f"user:{request.user.pk}",
        {"whole": verdict.whole, "findings": len(verdict.findings), "first": first, "head": verdict.head},
    )
    return render(request, "audit/verdict.html", {"verdict": verdict})


@require_POST
@rights.requires(rights.SEE_TRAIL)
def keep_view(request: Asked) -> HttpResponseBase:
    """Keep the filter of the page under a name."""
    name, query = said(request.POST.get("name", ""))[:60], urlencode(_of_query(request.POST.get("query", "")).given)
    if not name or trail.NUL in name:
        messages.error(request, "The view has no name: nothing was saved.")
    elif View.objects.filter(owner=request.user).count() >= MOST_VIEWS:
        messages.error(request, f"You have {MOST_VIEWS} views: remove one first.")
    else:
        try:
            with transaction.atomic():
                View.objects.create(owner=request.user, name=name, query=query[:1000])
                write(request.user, "trail view saved", f"user:{request.user.pk}", {"name": name})
            messages.success(request, f"Saved as {name}.")
        except IntegrityError:
            messages.error(request, f"You have a view called {name} already: nothing was saved.")
    return redirect(f"{reverse('audit')}?{query}")


@require_POST
@rights.requires(rights.SEE_TRAIL)
def drop_view(request: Asked, pk: int) -> HttpResponseBase:
    view = get_object_or_404(View, pk=pk, owner=request.user)
    with transaction.atomic():
        write(request.user, "trail view removed", f"user:{request.user.pk}", {"name": view.name})
        view.delete()
    messages.success(request, f"The view {view.name} is removed.")
    return redirect("audit")
