"""The forms that place a hold on an archive set or a before-image, and release it."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from access import rights
from access.rights import Asked
from archives import holding
from archives.forms import ReasonForm
from archives.holding import BEFORE_IMAGE, SET, Kind
from warehouse.archive_sets import NoSuchSetError
from warehouse.errors import TellableError


@require_POST
@rights.requires(rights.HOLD)
def hold_set(request: Asked, set_id: UUID) -> HttpResponseBase:
    told = "On hold: nothing removes this set until the hold is released."
    return _placed(request, SET, set_id, told, page="archive_set")


@require_POST
@rights.requires(rights.HOLD)
def release_set(request: Asked, set_id: UUID, hold_id: int) -> HttpResponseBase:
    told = "Released. The set goes when it has expired, unless another hold stands."
    return _released(request, SET, set_id, hold_id, told, page="archive_set")


@require_POST
@rights.requires(rights.HOLD)
def hold_image(request: Asked, job_id: UUID) -> HttpResponseBase:
    told = "On hold: neither its expiry nor the budget removes it until that is released."
    return _placed(request, BEFORE_IMAGE, job_id, told, page="before_image")


@require_POST
@rights.requires(rights.HOLD)
def release_image(request: Asked, job_id: UUID, hold_id: int) -> HttpResponseBase:
    told = "Released. It goes when it has expired or is beyond the budget."
    return _released(request, BEFORE_IMAGE, job_id, hold_id, told, page="before_image")


def _placed(request: Asked, kind: Kind, thing: UUID, told: str, *, page: str) -> HttpResponseBase:
    def act(reason: str) -> None:
        holding.place(settings.WAREHOUSE_URL, kind, thing, reason=reason, actor=request.user)

    _with_reason(request, act, told, without="Nothing was held: say why.")
    return redirect(page, thing)


def _released(request: Asked, kind: Kind, thing: UUID, hold_id: int, told: str, *, page: str) -> HttpResponseBase:
    def act(reason: str) -> None:
        holding.release(settings.WAREHOUSE_URL, kind, thing, hold_id, why=reason, actor=request.user)

    _with_reason(request, act, told, without="Nothing was released: say why.")
    return redirect(page, thing)


def _with_reason(request: Asked, act: Callable[[str], None], told: str, *, without: str) -> None:
    """Do what needs a reason and say `told`; `without` is said where there is none. Raises Http404."""
    form = ReasonForm(request.POST)
    try:
        if form.is_valid():
            act(form.cleaned_data["reason"])
            messages.success(request, told)
        else:
            messages.error(request, without)
    except NoSuchSetError as error:
        raise Http404(str(error)) from error
    except TellableError as error:
        messages.error(request, str(error))
