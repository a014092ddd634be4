"""What is done to a request from the page of its job: decide, comment, withdraw, remind."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from access import rights
from access.rights import Asked
from approvals import closing, comments, confirming, gate
from approvals.confirming import NotConfirmedError
from approvals.forms import CommentForm, DecisionForm, WithdrawalForm
from approvals.gate import RefusedError
from approvals.models import Request

PAGE_ROWS = 50
TOLD = {
    "approve": "Your approval counts.",
    "changes": "Sent back with your note. Nothing is changed.",
    "reject": "Rejected. Nothing is changed.",
}


@require_POST
@rights.requires(rights.SEE)
def decide(request: Asked, job_id: UUID) -> HttpResponseBase:
    """A decision about the plan as it was shown; where it cannot be taken, the form comes back with the note."""
    approval = Request.objects.select_related("job__plan", "job__requested_by").filter(job_id=job_id).first()
    gate.demand_named(approval, request.user)
    if approval is None:
        raise Http404("Nobody asks for a decision about this job.")
    form = DecisionForm(request.POST)
    if form.is_valid() and _carried_out(request, approval, form):
        return redirect(approval.job)
    asks = bool(form["password"].errors) or confirming.needed(request.session, timezone.now())
    context = {"job": approval.job, "approval": approval, "form": form, "asks_password": asks}
    return render(request, "approvals/decide.html", context, status=422)


def _carried_out(request: Asked, approval: Request, form: DecisionForm) -> bool:
    """Whether it was; else the form says why not."""
    found = form.cleaned_data
    said = {"digest": found["digest"], "reason": found["reason"]}
    try:
        confirming.confirm(request.user, request.session, found["password"], now=timezone.now())
        if found["verdict"] == "changes":
            gate.ask_changes(approval, request.user, **said)
        else:
            approve = found["verdict"] == "approve"
            gate.decide(approval, request.user, approve=approve, window=found["window"], **said)
    except NotConfirmedError as error:
        form.add_error("password", str(error))
        return False
    except RefusedError as error:
        form.add_error(None, f"Nothing was decided. {error}")
        return False
    approval.refresh_from_db()
    messages.success(request, _told(approval, found["verdict"]))
    return True


def _told(approval: Request, verdict: str) -> str:
    if verdict != "approve":
        return TOLD[verdict]
    if approval.state == Request.State.PENDING:
        return f"{TOLD['approve']} {gate.of(approval, timezone.now())}.".replace("approvals,", "approvals so far,")
    if approval.window:
        return f"Approved. It begins in the window {approval.window['name']}."
    return "Approved. A worker takes it up now."


@require_POST
@rights.requires(rights.DISCUSS)
def comment(request: Asked, job_id: UUID) -> HttpResponseBase:
    approval = get_object_or_404(Request.objects.select_related("job"), job_id=job_id)
    form = CommentForm(request.POST)
    if form.is_valid():
        comments.add(approval, request.user, form.cleaned_data["text"])
        return redirect(f"{approval.job.get_absolute_url()}#said")
    context = {"job": approval.job, "approval": approval, "form": form}
    return render(request, "approvals/comment.html", context, status=422)


@require_safe
@rights.requires(rights.SEE)
def said(request: Asked, job_id: UUID) -> HttpResponse:
    """All that was said about it, newest first."""
    approval = get_object_or_404(Request.objects.select_related("job"), job_id=job_id)
    page = Paginator(comments.thread(approval).reverse(), PAGE_ROWS).get_page(request.GET.get("page"))
    return render(request, "approvals/said.html", {"job": approval.job, "approval": approval, "page": page})


@require_POST
@rights.requires(rights.SEE)
def withdraw(request: Asked, job_id: UUID) -> HttpResponse:
    approval = get_object_or_404(Request.objects.select_related("job__plan"), job_id=job_id)
    form = WithdrawalForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Nothing was withdrawn. {' '.join(map(str, form.errors['reason']))}")
        return redirect(approval.job)
    try:
        closing.withdraw(approval, request.user, reason=form.cleaned_data["reason"])
        messages.success(request, "Withdrawn. Nothing is changed.")
    except RefusedError as error:
        messages.error(request, str(error))
    return redirect(approval.job)


@require_POST
@rights.requires(rights.DISCUSS)
def remind(request: Asked, job_id: UUID) -> HttpResponse:
    approval = get_object_or_404(Request.objects.select_related("job"), job_id=job_id)
    try:
        closing.remind(approval, request.user)
        messages.success(request, "Those who can decide are reminded.")
    except RefusedError as error:
        messages.warning(request, str(error))
    return redirect(approval.job)
