"""Let a job through in an emergency; what was let through, and its review."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from approvals import breaking_glass, confirming, second_factor
from approvals.confirming import NotConfirmedError
from approvals.forms import EmergencyForm, ReviewForm
from approvals.gate import RefusedError
from approvals.models import Emergency, Request


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.BREAK_GLASS)
def let_through(request: Asked, job_id: UUID) -> HttpResponseBase:
    approval = get_object_or_404(Request.objects.select_related("job__plan", "job__requested_by"), job_id=job_id)
    form = EmergencyForm(request.POST or None, initial={"digest": approval.job.plan.digest})
    if request.method == "POST" and form.is_valid():
        try:
            breaking_glass.let_through(approval, request.user, **form.cleaned_data)
            messages.warning(request, "Let through. A worker takes it up now. Somebody else reviews it within 24 h.")
            return redirect(approval.job)
        except RefusedError as error:
            form.add_error(None, str(error))
    context = {
        "job": approval.job,
        "approval": approval,
        "form": form,
        "has_factor": second_factor.has_one(request.user),
        "waits": approval.state == Request.State.PENDING,
    }
    return render(request, "approvals/let_through.html", context, status=422 if form.errors else 200)


@require_safe
@rights.requires(rights.SEE)
def emergencies(request: Asked) -> HttpResponse:
    """What was let through: to be reviewed first."""
    return _shown(request)


def _shown(request: Asked, filled: ReviewForm | None = None) -> HttpResponse:
    """The page of all; with status 422 where the review in the form that was filled in could not be kept."""
    now = timezone.now()
    found = [
        {
            "emergency": one,
            "overdue": one.due < now,
            "form": _form(one, filled) if breaking_glass.may_review(one, request.user) else None,
        }
        for one in breaking_glass.open_ones()
    ]
    context = {
        "open": found,
        "reviewed": breaking_glass.reviewed(),
        "asks_password": confirming.needed(request.session, now),
    }
    return render(request, "approvals/emergencies.html", context, status=422 if filled else 200)


def _form(emergency: Emergency, filled: ReviewForm | None) -> ReviewForm:
    prefix = str(emergency.pk)
    return filled if filled and filled.prefix == prefix else ReviewForm(prefix=prefix)


@require_POST
@rights.requires(rights.DECIDE)
def review(request: Asked, pk: int) -> HttpResponse:
    """Keep what somebody found; by who shows that it is them."""
    found = get_object_or_404(Emergency.objects.select_related("request__job__plan"), pk=pk)
    form = ReviewForm(request.POST, prefix=str(pk))
    if not form.is_valid():
        return _shown(request, form)
    said = form.cleaned_data
    try:
        confirming.confirm(request.user, request.session, said["password"], now=timezone.now())
        breaking_glass.review(found, request.user, verdict=said["verdict"], note=said["note"])
        messages.success(request, "Reviewed.")
    except NotConfirmedError as error:
        form.add_error("password", str(error))
        return _shown(request, form)
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect("emergencies")
