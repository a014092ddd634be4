"""The pages of triggers: one rule with what it saw and what came of that, and its form."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from access import rights
from access.rights import Asked
from jobs.naming import NameTakenError
from reprocessing import askers, rule_kinds
from reprocessing.askers import NoOwnerError
from reprocessing.asking_forms import TriggerForm
from reprocessing.asking_models import Sighting, Trigger
from reprocessing.triggers import MOST_DEPTH
from warehouse import registry

PAGE_ROWS = 50


@require_safe
@rights.requires(rights.SEE)
def trigger(request: Asked, pk: int) -> HttpResponse:
    """One rule: what it watches for, what it saw, and what came of each sighting."""
    found = get_object_or_404(Trigger.objects.select_related("owner"), pk=pk)
    seen = Sighting.objects.filter(trigger=found).select_related("job")
    return render(
        request,
        "schedules/trigger.html",
        {
            "trigger": found,
            "kind": rule_kinds.find(found.kind),
            "page": Paginator(seen, PAGE_ROWS).get_page(request.GET.get("page")),
            "writers": User.objects.filter(pk__in=found.authors).order_by("username"),
            "most_depth": MOST_DEPTH,
            "may_manage": rights.may(request.user, rights.MANAGE_SCHEDULES),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_SCHEDULES)
def edit(request: Asked, pk: int | None = None) -> HttpResponseBase:
    """The form of a new or known trigger."""
    found = get_object_or_404(Trigger, pk=pk) if pk else Trigger()
    form = TriggerForm(
        request.POST or None,
        instance=found,
        initial={"owner": found.owner_id or request.user.pk},
        extracts=registry.current().names,
    )
    if request.method == "POST" and form.is_valid():
        try:
            askers.save(found, request.user)
            messages.success(request, "Saved. It acts on what happens from now on.")
            return redirect(found)
        except NoOwnerError as error:
            form.add_error("owner", str(error))
        except NameTakenError as error:
            form.add_error("name", str(error))
    context = {"trigger": found, "form": form, "most_depth": MOST_DEPTH}
    return render(request, "schedules/edit_trigger.html", context, status=422 if form.errors else 200)
