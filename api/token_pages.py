"""The page of tokens: one's own, made with a proof of who one is and shown once; who may, sees and revokes all."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from access import rights
from access.rights import Asked
from api import tokens as giving
from api.models import Token
from api.token_forms import TokenForm
from api.tokens import CannotGiveError, OverError
from approvals import confirming
from approvals.confirming import NotConfirmedError
from jobs.naming import NameTakenError


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.SEE)
def tokens(request: Asked) -> HttpResponseBase:
    """One's tokens, and the form of a new one; its secret is shown once, in the answer to the form."""
    form = TokenForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and (made := _made(request, form)):
        return render(request, "account/token.html", {"token": made[0], "secret": made[1]})
    now, manages = timezone.now(), rights.may(request.user, rights.MANAGE_TOKENS)
    living = giving.living(now)
    context = {
        "form": form,
        "asks_password": bool(form.is_bound and form["password"].errors) or confirming.needed(request.session, now),
        "tokens": living.filter(owner=request.user),
        "manages": manages,
        "others": living.exclude(owner=request.user) if manages else [],
    }
    return render(request, "account/tokens.html", context, status=422 if form.errors else 200)


def _made(request: Asked, form: TokenForm) -> tuple[Token, str] | None:
    """The token and its secret; None where there is none, which the form then says."""
    given: dict[str, Any] = form.cleaned_data
    now, wanted = timezone.now(), {name: given[name] for name in ("name", "scope", "days")}
    try:
        confirming.confirm(request.user, request.session, given["password"], now=now)
        return giving.give(request.user, **wanted, now=now)
    except NotConfirmedError as error:
        form.add_error("password", str(error))
    except NameTakenError as error:
        form.add_error("name", str(error))
    except CannotGiveError as error:
        form.add_error(None, str(error))
    return None


@require_POST
@rights.requires(rights.SEE)
def revoke(request: Asked, pk: int) -> HttpResponseBase:
    """From this moment on the token opens nothing."""
    found = Token.objects.select_related("owner").filter(pk=pk).first()
    if found is None or not (found.owner == request.user or rights.may(request.user, rights.MANAGE_TOKENS)):
        raise Http404("There is no such token of yours.")
    try:
        giving.revoke(found, request.user, timezone.now())
        messages.success(request, f"The token {found.name} is revoked: it opens nothing any more.")
    except OverError as error:
        messages.warning(request, str(error))
    return redirect("tokens")
