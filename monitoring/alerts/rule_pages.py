"""The rules of alerts with their back-test, and downtimes."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from audit.transitions import StateChangedError
from jobs.naming import NameTakenError
from monitoring.alerts import downtimes, metrics, rules
from monitoring.alerts.downtimes import AddedAlreadyError
from monitoring.alerts.forms import DowntimeForm, RuleForm
from monitoring.alerts.metrics import BY_NAME
from monitoring.alerts.models import Downtime, Rule
from monitoring.alerts.rules import BackTest
from warehouse.connections import connect


@require_safe
@rights.requires(rights.SEE)
def all_rules(request: Asked) -> HttpResponse:
    """Every rule in words, and the downtimes that go or come."""
    found = Rule.objects.exclude(state=Rule.State.RETIRED)
    context = {
        "rules": [(rule, in_words(rule)) for rule in found],
        "downtimes": Downtime.objects.filter(ends__gt=timezone.now()),
        "may_manage": rights.may(request.user, rights.MANAGE_ALERTS),
    }
    return render(request, "alerts/rules.html", context)


def in_words(rule: Rule) -> str:
    """When it alerts; also of a rule whose metric nothing knows any more."""
    metric = BY_NAME.get(rule.metric)
    if metric is None:
        return f"It measures {rule.metric}, which nothing knows any more."
    side = "more" if rule.above else "less"
    times = f", {rule.x} of the last {rule.y}" if rule.y > 1 else ""
    whose = f"{metric.title}{f' of {rule.extract}' if rule.extract else ''}"
    if metric.unit == "flag":
        return f"{whose}{times}"
    line = f"{rule.threshold:g} × what is usual" if rule.relative else metrics.in_words(metric, rule.threshold)
    return f"{whose}: {side} than {line}{times}"


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_ALERTS)
def edit(request: Asked, pk: int | None = None) -> HttpResponseBase:
    """The form of a new or known rule; it can be tried on the last 90 days before it is saved."""
    rule = get_object_or_404(Rule.objects.exclude(state=Rule.State.RETIRED), pk=pk) if pk else None
    form = RuleForm(request.POST if request.method == "POST" else None, rule)
    tried = None
    if request.method == "POST" and form.is_valid():
        if "try" not in request.POST:
            try:
                rules.save(form.fill(rule or Rule()), request.user, now=timezone.now())
                messages.success(request, "Saved. It tells of what comes from now on.")
                return redirect("alert_rules")
            except NameTakenError as error:
                form.add_error("name", str(error))
        else:
            tried = _try(form)
    context = {"form": form, "rule": rule, "tried": tried, "metrics": metrics.METRICS}
    return render(request, "alerts/edit_rule.html", context, status=422 if form.errors else 200)


def _try(form: RuleForm) -> BackTest:
    given = form.cleaned_data
    with connect(settings.WAREHOUSE_URL, purpose="back-test") as connection:
        return rules.back_test(connection, given["metric"], form.limit, given["extract"], timezone.now())


@require_POST
@rights.requires(rights.MANAGE_ALERTS)
def act(request: Asked, pk: int, name: str) -> HttpResponseBase:
    """Pause, resume or retire a rule."""
    rule, now = get_object_or_404(Rule, pk=pk), timezone.now()
    told = rule.name
    try:
        if name == "pause":
            rules.pause(rule, request.user)
        elif name == "resume":
            rules.resume(rule, request.user, now=now)
        else:
            rules.retire(rule, request.user, now=now)
        messages.success(request, f"“{told}” is {rule.get_state_display().lower()}.")
    except StateChangedError:
        messages.warning(request, f"“{told}” was {rule.get_state_display().lower()} already.")
    return redirect("alert_rules")


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_ALERTS)
def add_downtime(request: Asked) -> HttpResponseBase:
    form = DowntimeForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            downtimes.add(form.instance, request.user)
            messages.success(request, "Added. What is found in that time is kept, and not told.")
            return redirect("alert_rules")
        except AddedAlreadyError as error:
            form.add_error(None, str(error))
    return render(request, "alerts/edit_downtime.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@rights.requires(rights.MANAGE_ALERTS)
def end_downtime(request: Asked, pk: int) -> HttpResponseBase:
    downtimes.end(get_object_or_404(Downtime, pk=pk), request.user, timezone.now())
    messages.success(request, "Ended.")
    return redirect("alert_rules")
