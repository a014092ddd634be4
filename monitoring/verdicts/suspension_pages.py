"""What is done to the loading of an extract from the page of its quality: suspend, resume, and have it suspended by
itself."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from access import rights
from access.rights import Asked
from monitoring.verdicts import suspending
from monitoring.verdicts.suspending import NoReasonError
from warehouse import registry
from warehouse.suspensions import NotSuspendedError

SUSPEND, RESUME, ITSELF, NOT_ITSELF = "suspend", "resume", "by itself", "not by itself"


@require_POST
@rights.requires(rights.SUSPEND)
def loading(request: Asked, extract: str) -> HttpResponse:
    if extract not in registry.current():
        raise Http404("There is no such extract.")
    try:
        told, changed = _done(request, extract, request.POST.get("act", ""), request.POST.get("reason", ""))
        (messages.success if changed else messages.warning)(request, told)
    except NoReasonError as error:
        messages.error(request, str(error))
    except NotSuspendedError as error:
        messages.warning(request, str(error))
    return redirect("quality_extract", extract)


def _done(request: Asked, extract: str, act: str, reason: str) -> tuple[str, bool]:
    """What to say, and whether anything changed. Raises NoReasonError, NotSuspendedError."""
    url, actor = settings.WAREHOUSE_URL, request.user
    if act == SUSPEND:
        changed = suspending.suspend(url, extract, reason=reason, actor=actor)
        told = f"The loading of {extract} is suspended" + ("" if changed else " already") + "."
        return f"{told} Its files stay where they are until somebody resumes it.", changed
    if act == RESUME:
        suspending.resume(url, extract, why=reason, actor=actor)
        return f"The loading of {extract} goes on: the next load takes what is there.", True
    if act in (ITSELF, NOT_ITSELF):
        on = act == ITSELF
        changed = suspending.let_suspend_itself(url, extract, on=on, why=reason, actor=actor)
        does = "is suspended as soon as" if on else "goes on though"
        return f"The loading of {extract} {does} a file of it is proven wrong.", changed
    raise NoReasonError("Nothing was changed: say what to do with the loading.")
