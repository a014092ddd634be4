"""Channels, who is told by them, and the letters that were not delivered."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Max, Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import rights
from access.rights import Asked
from audit.transitions import StateChangedError
from jobs.naming import NameTakenError
from notifications import channels, chat, undelivered
from notifications.channels import RenewedMeanwhileError, TriedMeanwhileError
from notifications.forms import ChannelForm, RouteForm
from notifications.models import Channel, Message, Route
from warehouse.errors import TellableError

PAGE_ROWS = 50
ACTS = {"pause": channels.pause, "resume": channels.resume, "retire": channels.retire}


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_CHANNELS)
def all_channels(request: Asked) -> HttpResponseBase:
    """Every channel with how it does, and what groups are told; adds what a group is told."""
    form = RouteForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        made = channels.add_routes(request.user, topics=given["topics"], role=given["role"], channel=given["channel"])
        messages.success(request, f"{len(made)} added." if made else "All of that is told already.")
        return redirect("channels")
    waiting, dead = Q(messages__state=Message.State.WAITING), Q(messages__state=Message.State.DEAD)
    found = Channel.objects.exclude(state=Channel.State.RETIRED).annotate(
        waiting=Count("messages", filter=waiting), dead=Count("messages", filter=dead), last=Max("messages__sent_at")
    )
    context = {"channels": found, "routes": Route.objects.select_related("channel"), "form": form,
               "dead": undelivered.dead().count(), "stuck": undelivered.stuck()}  # fmt: skip
    return render(request, "notifications/channels.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@rights.requires(rights.MANAGE_CHANNELS)
def new(request: Asked) -> HttpResponseBase:
    """The form of a new channel; a webhook's secret is shown once, in the answer to it."""
    form = ChannelForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            channel, secret = channels.add(request.user, **form.cleaned_data)
            if secret:
                return render(request, "notifications/secret.html", {"channel": channel, "secret": secret})
            messages.success(request, f"{channel} is added. Send a test message to see whether it works.")
            return redirect(channel)
        except NameTakenError as error:
            form.refuse_name(str(error))
    if form.taken and (twice := channels.just_added(request.user, **form.taken, now=timezone.now())):
        messages.warning(request, f"{twice} is added already. Its secret was told in the answer to an earlier click: if"
                         " you have not seen it, renew it below.")  # fmt: skip
        return redirect(twice)
    context = {"form": form, "examples": [(label, chat.EXAMPLES.get(Channel.Form(value), "https://hooks.example.org/…"))
                                          for value, label in Channel.Form.choices]}  # fmt: skip
    return render(request, "notifications/edit_channel.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@rights.requires(rights.MANAGE_CHANNELS)
def channel(request: Asked, pk: int) -> HttpResponseBase:
    """One channel, its last letters, and its form."""
    found = get_object_or_404(Channel, pk=pk)
    form = ChannelForm(request.POST if request.method == "POST" else None, found)
    if request.method == "POST" and form.is_valid() and found.state != Channel.State.RETIRED:
        try:
            channels.change(found, request.user, **form.cleaned_data)
            messages.success(request, "Saved.")
            return redirect(found)
        except NameTakenError as error:
            found.refresh_from_db()
            form.add_error("name", str(error))
    context = {"channel": found, "form": form, "routes": found.routes.all(), "mark": channels.secret_mark(found),
               "last_test": channels.last_test(found),
               "letters": found.messages.select_related("person")[:20]}  # fmt: skip
    return render(request, "notifications/channel.html", context, status=422 if form.errors else 200)


@require_POST
@rights.requires(rights.MANAGE_CHANNELS)
def act(request: Asked, pk: int, name: str) -> HttpResponseBase:
    """Pause, resume or retire it."""
    found = get_object_or_404(Channel, pk=pk)
    try:
        ACTS[name](found, request.user)
        messages.success(request, f"{found} is {found.get_state_display().lower()}.")
    except StateChangedError:
        messages.warning(request, f"{found} was {found.get_state_display().lower()} already.")
    return redirect("channels" if found.state == Channel.State.RETIRED else found)


@require_POST
@never_cache
@rights.requires(rights.MANAGE_CHANNELS)
def renew(request: Asked, pk: int) -> HttpResponseBase:
    """A new secret for a webhook, shown once."""
    found = get_object_or_404(Channel, pk=pk, form=Channel.Form.WEBHOOK, state__in=["active", "paused"])
    try:
        secret = channels.renew_secret(found, request.user, mark=request.POST.get("mark", ""))
    except RenewedMeanwhileError as error:
        messages.warning(request, str(error))
        return redirect(found)
    return render(request, "notifications/secret.html", {"channel": found, "secret": secret})


@require_POST
@rights.requires(rights.MANAGE_CHANNELS)
def test(request: Asked, pk: int) -> HttpResponseBase:
    """Send a test message, now; once for one page."""
    found = get_object_or_404(Channel, pk=pk, state__in=["active", "paused"])
    after = request.POST.get("after", "")
    number = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else -1
    try:
        messages.success(request, f"The test message is delivered. {channels.test(found, request.user, after=number)}")
    except TriedMeanwhileError as error:
        messages.warning(request, str(error))
    except TellableError as error:
        messages.error(request, f"The test message was not delivered. {error}")
    return redirect(found)


@require_POST
@rights.requires(rights.MANAGE_CHANNELS)
def drop_route(request: Asked, pk: int) -> HttpResponseBase:
    channels.drop_route(get_object_or_404(Route, pk=pk), request.user)
    messages.success(request, "Removed.")
    return redirect("channels")


@require_safe
@rights.requires(rights.MANAGE_CHANNELS)
def letters(request: Asked) -> HttpResponse:
    """What was not delivered, and what is tried again."""
    page = Paginator(undelivered.dead(), PAGE_ROWS).get_page(request.GET.get("page"))
    context = {"page": page, "late": undelivered.late()[:PAGE_ROWS], "stuck": undelivered.stuck()}
    return render(request, "notifications/letters.html", context)


@require_POST
@rights.requires(rights.MANAGE_CHANNELS)
def resend(request: Asked) -> HttpResponseBase:
    """Try the ticked letters again; as many as the button says."""
    ids = [UUID(text) for text in request.POST.getlist("letter") if _is_id(text)]
    sent = undelivered.resend(ids, request.user, timezone.now())
    told = f"{sent:,} of {len(ids):,} letters are sent again." if ids else "No letter was chosen; nothing is sent."
    (messages.success if sent else messages.warning)(request, told)
    return redirect("letters")


def _is_id(text: str) -> bool:
    return len(text) == 36 and all(letter in "0123456789abcdef-" for letter in text) and text.count("-") == 4
