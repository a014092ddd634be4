"""The reader's choice between the light and the dark theme, kept in a cookie."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from config.context import THEMES

YEAR = 365 * 24 * 3600


def way_back(request: HttpRequest) -> str:
    """The page of ours that a choice was made from."""
    back = request.POST.get("next", "/")
    return back if url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}) else "/"


@login_not_required
@require_POST
def choose(request: HttpRequest) -> HttpResponseRedirect:
    answer, theme = HttpResponseRedirect(way_back(request)), request.POST.get("theme", "")
    if theme in THEMES:
        answer.set_cookie("theme", theme, max_age=YEAR, samesite="Lax", httponly=True)
    else:
        answer.delete_cookie("theme")
    return answer
