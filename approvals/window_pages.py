"""Change windows: the list, a new one, one removed."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from approvals import windows
from approvals.forms import WindowForm
from approvals.models import Request, Window
from jobs.models import Job
from jobs.naming import NameTakenError


@require_safe
@rights.requires(rights.SEE)
def change_windows(request: Asked) -> HttpResponse:
    now = timezone.now()
    found = [
        {
            "window": window,
            "told": windows.told(windows.as_json(window)),
            "open": windows.is_open(windows.as_json(window), now),
            "opens": windows.opening(windows.as_json(window), now),
        }
        for window in Window.objects.all()
    ]
    waiting = Request.objects.filter(window__isnull=False, job__state=Job.State.QUEUED).select_related("job")
    may_manage = rights.may(request.user, rights.MANAGE_SCHEDULES)
    return render(request, "approvals/windows.html", {"windows": found, "waiting": waiting, "may_manage": may_manage})


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_SCHEDULES)
def add(request: Asked) -> HttpResponseBase:
    form = WindowForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            windows.add(form.window(), request.user)
            messages.success(request, "Added. Approvals can be given for it from now on.")
            return redirect("change_windows")
        except NameTakenError as error:
            form.add_error("name", str(error))
    return render(request, "approvals/edit_window.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@rights.requires(rights.MANAGE_SCHEDULES)
def remove(request: Asked, pk: int) -> HttpResponseBase:
    windows.remove(get_object_or_404(Window, pk=pk), request.user)
    messages.success(request, "Removed. What was approved for it keeps it.")
    return redirect("change_windows")
