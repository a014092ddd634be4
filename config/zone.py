"""The time zone in which a person reads: chosen on a page, and that of each page that they open."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from access import rights, zones
from access.rights import Asked
from config.theme import way_back
from jobs import zone_field

Answer = Callable[[HttpRequest], HttpResponse]
OF_PAGE = "X-Zone"  # sent with what htmx asks for: the zone that the page around it names


class ZoneMiddleware:
    """Has a page for somebody who is logged in tell times in their zone. Nothing else: the API, health and metrics,
    which need no login, are told as the console tells them."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(None):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> None:
        if getattr(view, "login_required", True) and isinstance(request.user, User):
            of_page = zones.named(request.headers.get(OF_PAGE, "")) if "HX-Request" in request.headers else None
            timezone.activate(of_page or zones.of(request.user))


class ZoneForm(forms.Form):
    zone = zone_field.ZoneField(required=False)

    def __init__(self, data: Any, chosen: str | None) -> None:
        super().__init__(data, initial={"zone": chosen or ""})
        field = cast(forms.ChoiceField, self.fields["zone"])
        field.choices = [("", f"The console's zone, now {zones.console()}"), *zone_field.zones()]


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.SEE)
def own(request: Asked) -> HttpResponseBase:
    """Where a person chooses it; a script offers that of the browser."""
    chosen = zones.choice(request.user)
    form = ZoneForm(request.POST if request.method == "POST" else None, chosen)
    if request.method == "POST" and form.is_valid():
        zones.choose(request.user, form.cleaned_data["zone"])
        messages.success(request, f"From now on times are told in {zones.of(request.user)}.")
        return redirect(way_back(request))
    given = request.POST if request.method == "POST" else request.GET
    context = {"form": form, "chosen": chosen, "next": given.get("next", "")}
    return render(request, "account/zone.html", context, status=422 if form.errors else 200)
