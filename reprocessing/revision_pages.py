"""Make a new plan in place of one that was sent back."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from access import rights
from access.rights import Asked
from jobs.models import Job
from jobs.submission import AlreadyActiveError
from reprocessing import blackouts, revising
from reprocessing.asking_forms import PastBlackoutForm
from reprocessing.forms import ReasonForm, ReprocessForm, WavesForm
from warehouse.errors import TellableError


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.SEE)
def revise(request: Asked, job_id: UUID) -> HttpResponseBase:
    """The form as it was filled in before; which right it needs depends on the kind of job."""
    former = get_object_or_404(Job.objects.select_related("plan", "undoes__plan", "requested_by"), pk=job_id)
    rights.demand(request.user, revising.RIGHTS.get(former.kind, rights.REPROCESS))
    if refused := revising.why_not(former, request.user):
        messages.warning(request, refused)
        return redirect(former)
    return _by_form(request, former) if revising.by_form(former) else _as_before(request, former)


def _by_form(request: Asked, former: Job) -> HttpResponseBase:
    data = request.POST or None
    files = revising.files(former)
    extracts = sorted({item["extract"] for item in (*former.plan.included, *former.plan.excluded)})
    form = ReprocessForm(data, extracts=extracts, files=files, initial=revising.initial(former))
    del form.fields["dry_run"]
    waves = WavesForm(data, initial=revising.initial_waves(former))
    if request.method == "POST" and form.is_valid() & waves.is_valid():
        try:
            return redirect(
                revising.reprocess(
                    settings.WAREHOUSE_URL,
                    former,
                    form.options(),
                    reason=form.cleaned_data["reason"],
                    actor=request.user,
                    waves=waves.rules(),
                    past_blackout=PastBlackoutForm(request.POST, None).reason(),
                )
            )
        except AlreadyActiveError as error:
            messages.warning(request, "An active job is about its run already. This is that job.")
            return redirect(error.job)
        except TellableError as error:
            form.add_error(None, str(error))
    past = PastBlackoutForm(data, blackouts.now_in_force())
    context = {"former": former, "form": form, "waves_form": waves, "past": past}
    return render(request, "jobs/revise.html", context, status=422 if data else 200)


def _as_before(request: Asked, former: Job) -> HttpResponseBase:
    form = ReasonForm(request.POST or None, initial={"reason": former.plan.reason})
    if request.method == "POST" and form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            return redirect(revising.as_before(settings.WAREHOUSE_URL, former, reason=reason, actor=request.user))
        except AlreadyActiveError as error:
            messages.warning(request, "An active job is about its run already. This is that job.")
            return redirect(error.job)
        except TellableError as error:
            form.add_error(None, str(error))
    return render(request, "jobs/revise.html", {"former": former, "form": form}, status=422 if form.errors else 200)
