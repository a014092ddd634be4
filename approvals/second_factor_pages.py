"""Set up one's own second factor."""

from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from access import rights
from access.rights import Asked
from approvals import confirming, second_factor
from approvals.confirming import NotConfirmedError
from approvals.forms import EnrolForm


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.SEE)
def set_up(request: Asked) -> HttpResponseBase:
    """A button to begin; then the QR code and the form; once the code is right, the recovery codes, shown this once."""
    if "begin" in request.POST:
        second_factor.begin(request.user)
        return redirect("second_factor")
    form = EnrolForm(request.POST or None)
    there = second_factor.has_one(request.user)
    if request.method == "POST" and form.is_valid() and (codes := _finished(request, form, there)):
        return render(request, "approvals/recovery_codes.html", {"codes": codes})
    device = second_factor.begun(request.user)
    context = {
        "form": form,
        "there": there,
        "codes_left": second_factor.codes_left(request.user),
        "qr": second_factor.as_qr(device) if device else None,
        "key": second_factor.as_text(device) if device else "",
    }
    return render(request, "approvals/second_factor.html", context, status=422 if form.errors else 200)


def _finished(request: Asked, form: EnrolForm, there: bool) -> list[str] | None:
    """The recovery codes; None where something is wrong, which the form then says."""
    found = form.cleaned_data
    try:
        confirming.confirm(request.user, request.session, found["password"], now=timezone.now())
    except NotConfirmedError as error:
        form.add_error("password", str(error))
        return None
    if there and not second_factor.verify(request.user, found["former"]):
        form.add_error("former", "That is no valid code of the second factor that you have now.")
        return None
    codes = second_factor.finish(request.user, found["token"])
    if codes is None:
        form.add_error("token", "That is not the code. Each code counts once; wait for the next one.")
    return codes
