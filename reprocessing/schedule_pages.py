"""The pages of schedules: all that asks by itself, one schedule with what came of its times, and its form."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from jobs import weekly
from jobs.naming import NameTakenError
from reprocessing import askers, blackouts, bookmarks, rule_kinds, schedules, slots
from reprocessing.askers import NoOwnerError
from reprocessing.asking_forms import PastBlackoutForm, ScheduleForm
from reprocessing.asking_models import Blackout, Schedule, Slot, Trigger
from reprocessing.forms import DiscoveryFilter
from reprocessing.schedules import Upcoming
from reprocessing.slots import NoScheduleError
from warehouse import registry
from warehouse.errors import TellableError

PAGE_ROWS = 50


@require_safe
@rights.requires(rights.SEE)
def all_askers(request: Asked) -> HttpResponse:
    """Every schedule, trigger and blackout window, and whether a watcher runs."""
    now, alive = timezone.now(), bookmarks.last_alive()
    found = Schedule.objects.select_related("owner")
    return render(
        request,
        "schedules/list.html",
        {
            "schedules": [(one, _next(one), one.slots.select_related("job").first()) for one in found],
            "triggers": [
                (one, _title(one), one.sightings.select_related("job").first())
                for one in Trigger.objects.select_related("owner")
            ],
            "windows": [(one, weekly.days(one.weekdays)) for one in Blackout.objects.all()],
            "open_now": blackouts.now_in_force(now),
            "alive": alive,
            "watched": alive is not None and now - alive < bookmarks.ALIVE_FOR,
            "may_manage": rights.may(request.user, rights.MANAGE_SCHEDULES),
        },
    )


def _title(trigger: Trigger) -> str:
    """The rule in a few words; also of a rule that nothing knows any more."""
    kind = rule_kinds.find(trigger.kind)
    return kind.title if kind else trigger.kind


def _next(schedule: Schedule) -> Upcoming | None:
    return next(iter(_times(schedule, 1)), None) if schedule.state == "active" else None


def _times(schedule: Schedule, number: int = 5) -> list[Upcoming]:
    """The next times, or none where the expression or zone cannot be used."""
    try:
        return schedules.upcoming(schedule.expression, schedule.zone, timezone.now(), number, dry_run=schedule.dry_run)
    except NoScheduleError:
        return []


@require_safe
@rights.requires(rights.SEE)
def schedule(request: Asked, pk: int) -> HttpResponse:
    """One schedule: what it asks for, its next times, and what came of the last ones."""
    found = get_object_or_404(Schedule.objects.select_related("owner"), pk=pk)
    rows = Slot.objects.filter(schedule=found).select_related("job", "by")
    return render(
        request,
        "schedules/schedule.html",
        {
            "schedule": found,
            "explained": _explained(found.expression),
            "asks_for": _asks_for(found),
            "times": _times(found) if found.state == "active" else [],
            "page": Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page")),
            "writers": User.objects.filter(pk__in=found.authors).order_by("username"),
            "past": PastBlackoutForm(None, None if found.dry_run else blackouts.now_in_force()),
            "may_manage": rights.may(request.user, rights.MANAGE_SCHEDULES),
        },
    )


def _explained(expression: str) -> str:
    try:
        return slots.explained(expression)
    except NoScheduleError as error:
        return str(error)


def _asks_for(found: Schedule) -> list[tuple[str, str]]:
    """The discovery filter in words: only what is not its default."""
    form = schedules.filter_of(found)
    shown = []
    for name, value in form.data.items():
        if (
            name in form.fields
            and name != "cause"
            and (name != "age_of" or {"older_than", "newer_than"} & {*form.data})
        ):
            choices = dict(getattr(form.fields[name], "choices", ()))
            shown.append((str(form.fields[name].label), str(choices.get(value, value))))
    return shown


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_SCHEDULES)
def edit(request: Asked, pk: int | None = None) -> HttpResponseBase:
    """The form of a new or known schedule; its next times are shown before it is saved."""
    found = get_object_or_404(Schedule, pk=pk) if pk else Schedule(until=timezone.now())
    former = (found.expression, found.zone)
    sent = request.POST or (request.GET if "expression" in request.GET else None)
    form = ScheduleForm(sent, instance=found, initial={"owner": found.owner_id or request.user.pk})
    kept = bool(pk) and not sent
    filters = schedules.filter_of(found) if kept else DiscoveryFilter(sent, registry.current().names)
    valid = form.is_valid() and filters.is_valid()
    if request.method == "POST" and valid and "look" not in request.POST:
        found.wanted = {name: value for name, value in filters.cleaned_data.items() if value not in (None, "")}
        if former != (found.expression, found.zone):
            found.until = timezone.now()
        try:
            askers.save(found, request.user)
            messages.success(request, "Saved.")
            return redirect(found)
        except NoOwnerError as error:
            form.add_error("owner", str(error))
        except NameTakenError as error:
            form.add_error("name", str(error))
    expression, zone = str(form["expression"].value() or ""), str(form["zone"].value() or "")
    shown = Schedule(expression=expression, zone=zone, dry_run=bool(form["dry_run"].value()))
    context = {
        "schedule": found,
        "form": form,
        "filters": filters,
        "times": _times(shown),
        "explained": _explained(expression) if expression else "",
    }
    part = "#times" if request.headers.get("HX-Target") == "times" else ""
    refused = request.method == "POST" and bool(form.errors or filters.errors)
    return render(request, f"schedules/edit.html{part}", context, status=422 if refused else 200)


@require_POST
@rights.requires(rights.MANAGE_SCHEDULES)
def run_now(request: Asked, pk: int) -> HttpResponseBase:
    """Have it ask once, now: for the person who presses, of what the schedule is about."""
    found = get_object_or_404(Schedule.objects.select_related("owner"), pk=pk)
    past = PastBlackoutForm(request.POST, blackouts.now_in_force())
    try:
        slot = schedules.run_now(found, request.user, timezone.now(), past_blackout=past.reason())
    except TellableError as error:
        messages.error(request, str(error))
        return redirect(found)
    if slot.job:
        return redirect(slot.job)
    messages.warning(request, f"No job was made. {slot.why}")
    return redirect(found)
