"""What pages say of the cold tier: a set's files and when they were verified, and the forms that move and verify."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from access import rights
from access.rights import Asked
from archives import cooling
from archives.forms import ReasonForm
from warehouse import archive_sets, cold_verification
from warehouse.archive_sets import ArchiveSet, NoSuchSetError, Part
from warehouse.connections import connect
from warehouse.errors import TellableError


class CoolForm(ReasonForm):
    drop_hot = forms.BooleanField(
        label="Remove the rows from the archive tables afterwards",
        required=False,
        help_text="Only once every row was read back from the files and its hash made anew.",
    )


def context(found: ArchiveSet, parts: Sequence[Part], user: User) -> dict[str, Any]:
    """For templates/archives/cold.html."""
    cold = [
        {"part": part, "at": cold_verification.verified_at(part), "verdict": (part.verified or {}).get("cold", {})}
        for part in parts
        if part.cold
    ]
    may = found.removed_at is None and rights.may(user, rights.ARCHIVE)
    return {
        "cold_parts": cold,
        "cold_bytes": sum(part.cold["bytes"] for part in parts if part.cold),
        "may_cool": may and any(part.hot for part in parts),
        "may_verify_cold": may and bool(cold),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.ARCHIVE)
def cool(request: Asked, set_id: UUID) -> HttpResponseBase:
    """Ask for the move of a set to the cold tier."""
    with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
        try:
            archive_sets.of_id(connection, set_id)
        except NoSuchSetError as error:
            raise Http404(str(error)) from error
        parts = archive_sets.parts(connection, [set_id])
    form = CoolForm(request.POST or None, initial={"drop_hot": all(part.cold for part in parts)})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            return redirect(
                cooling.ask_cool(
                    settings.WAREHOUSE_URL,
                    set_id,
                    reason=data["reason"],
                    actor=request.user,
                    drop_hot=data["drop_hot"],
                )
            )
        except TellableError as error:
            form.add_error(None, str(error))
    rows = sum(part.rows for part in parts)
    return render(
        request,
        "archives/cool.html",
        {"set_id": set_id, "form": form, "rows": rows, "size": sum(part.bytes for part in parts)},
        status=422 if form.errors else 200,
    )


@require_POST
@rights.requires(rights.ARCHIVE)
def verify(request: Asked, set_id: UUID) -> HttpResponse:
    """Ask for a verification of the files; its job tells what was found."""
    try:
        deep = request.POST.get("deep") == "on"
        return redirect(cooling.ask_verify(settings.WAREHOUSE_URL, set_id, actor=request.user, deep=deep))
    except NoSuchSetError as error:
        raise Http404(str(error)) from error
    except TellableError as error:
        messages.error(request, str(error))
        return redirect("archive_set", set_id)
