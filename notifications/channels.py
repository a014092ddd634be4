"""What people do to channels and routes. Addresses and secrets are in no event of the trail."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit.models import Event
from audit.transitions import move, record
from jobs.naming import naming
from notifications import chat, letters, sending, vault, webhook
from notifications.delivery import UndeliveredError
from notifications.models import Channel, Message, Route
from warehouse.errors import TellableError

BEGUN, ADDED = "channel test begun", "channel added"
A_MOMENT = timedelta(minutes=1)


class RenewedMeanwhileError(TellableError):
    """Another secret than the one that was shown as current is in force. Nothing was changed."""


class TriedMeanwhileError(TellableError):
    """A test was begun since the page was shown. None was sent."""


def problem(form: str, address: str) -> str:
    """Why an address cannot be that of a channel of this form ("": it can)."""
    return webhook.problem(address) if form == Channel.Form.WEBHOOK else chat.problem(form, address)


def shown(form: str, address: str) -> str:
    """What people see of an address."""
    if form != Channel.Form.WEBHOOK:
        return chat.shown(form, address)[:200]
    return str(urlsplit(address).hostname)[:200]


def add(actor: User, *, name: str, form: str, address: str) -> tuple[Channel, str]:
    """A new channel, and what a webhook is signed with, to be shown once ("" for others). Raises PermissionDenied,
    NameTakenError."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    secret = secrets.token_urlsafe(32) if form == Channel.Form.WEBHOOK else ""
    with naming("a channel"):
        channel = Channel.objects.create(
            name=name,
            form=form,
            address=vault.lock(address),
            shown=shown(form, address),
            secret=vault.lock(secret) if secret else "",
        )
        record(actor, ADDED, channel, {"name": name, "form": form, "to": channel.shown})
    return channel, secret


def just_added(actor: User, *, name: str, address: str, now: datetime) -> Channel | None:
    """The webhook of this name and address that the same person has added moments ago: then they have pressed the
    button twice, and may not have seen its secret."""
    found = Channel.objects.filter(name__iexact=name, form=Channel.Form.WEBHOOK, state=Channel.State.ACTIVE).first()
    if found is None:
        return None
    about = f"{found._meta.model_name}:{found.pk}"
    added = Event.objects.filter(subject=about, action=ADDED, actor=actor, at__gt=now - A_MOMENT)
    return found if added.exists() and vault.open_(found.address) == address else None


def change(channel: Channel, actor: User, *, name: str, address: str) -> None:
    """Another name, and another address unless that is "". Raises PermissionDenied, NameTakenError."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    with naming("a channel"):
        former, channel.name = channel.name, name
        if address:
            channel.address, channel.shown = vault.lock(address), shown(channel.form, address)
        channel.save(update_fields=["name", "address", "shown"])
        detail = {"former name": former, "name": name, "address changed": bool(address), "to": channel.shown}
        record(actor, "channel changed", channel, detail)


def secret_mark(channel: Channel) -> str:
    """Tells a secret from the one that takes its place, and nothing else of it."""
    return hashlib.sha256(channel.secret.encode()).hexdigest()[:16]


def renew_secret(channel: Channel, actor: User, *, mark: str) -> str:
    """A new secret for a webhook, to be shown once; the former, whose secret_mark() it is, counts no more. Raises
    PermissionDenied, RenewedMeanwhileError."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        if secret_mark(locked) != mark:
            raise RenewedMeanwhileError(
                "The secret was renewed since this page was shown, and the one that was told then counts. Nothing was"
                " changed; renew it again if nobody has kept it."
            )
        Channel.objects.filter(pk=channel.pk).update(secret=vault.lock(secret))
        record(actor, "channel secret renewed", channel, {"name": channel.name})
    return secret


def pause(channel: Channel, actor: User) -> None:
    """Its letters wait until it is resumed. Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    move(channel, Channel.State.PAUSED, among=[Channel.State.ACTIVE], actor=actor, detail={"name": channel.name})


def resume(channel: Channel, actor: User) -> None:
    """Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    move(channel, Channel.State.ACTIVE, among=[Channel.State.PAUSED], actor=actor, detail={"name": channel.name})


def retire(channel: Channel, actor: User) -> None:
    """Forget its address and its routes for good; what waits for it is not delivered. Raises PermissionDenied,
    StateChangedError."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    with transaction.atomic():
        among = [Channel.State.ACTIVE, Channel.State.PAUSED]
        detail = {"name": channel.name}
        move(channel, Channel.State.RETIRED, among=among, actor=actor, detail=detail, address="", secret="")
        channel.routes.all().delete()
        for message in channel.messages.filter(state=Message.State.WAITING):
            why = "Its channel was retired."
            move(message, Message.State.DEAD, among=["waiting"], actor=actor, detail={"why": why}, error=why)


def last_test(channel: Channel) -> int:
    """Tells how far the tests of it are: the event that began the last one; 0: there was none."""
    about = f"{channel._meta.model_name}:{channel.pk}"
    return Event.objects.filter(subject=about, action=BEGUN).values_list("pk", flat=True).order_by("-pk").first() or 0


def test(channel: Channel, actor: User, *, after: int) -> str:
    """Send a test message now, a personal one to the actor, where the last_test() was `after`; what came of it.

    That it is sent is in the trail before it is. Raises PermissionDenied, TriedMeanwhileError, UndeliveredError,
    UnreadableAddressError.
    """
    rights.demand(actor, rights.MANAGE_CHANNELS)
    with transaction.atomic():
        Channel.objects.select_for_update().get(pk=channel.pk)
        if last_test(channel) != after:
            raise TriedMeanwhileError("A test message was sent since this page was shown. None was sent now.")
        record(actor, BEGUN, channel, {"name": channel.name})
    letter = letters.Letter(
        id=str(uuid4()),
        topic="test",
        count=1,
        state="ok",
        subject="A test of this channel",
        lines=(f"{actor.get_username()} tries whether Restage reaches {channel.name}. Nothing has happened.",),
        url=letters.url(channel.get_absolute_url()),
    )
    try:
        told = sending.deliver_by(channel, letter, person=actor)
    except TellableError as error:
        record(actor, "channel tested", channel, {"why": str(error)}, result=Event.Result.FAILED)
        raise
    except Exception as error:  # of a client of some service
        record(actor, "channel tested", channel, {"why": type(error).__name__}, result=Event.Result.FAILED)
        raise UndeliveredError(f"It stopped at an unforeseen {type(error).__name__}.") from None
    record(actor, "channel tested", channel, {"told": told})
    return told


def add_routes(actor: User, *, topics: Iterable[str], role: str, channel: Channel | None) -> list[Route]:
    """Tell a group of these topics; those that were not told already. Raises PermissionDenied."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    made = []
    with transaction.atomic():
        for topic in topics:
            route, new = Route.objects.get_or_create(topic=topic, role=role, channel=channel)
            if new:
                made.append(route)
                record(actor, "route added", route, {"told": str(route)})
    return made


def drop_route(route: Route, actor: User) -> None:
    """Nothing is done where it is gone already. Raises PermissionDenied."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    with transaction.atomic():
        if Route.objects.filter(pk=route.pk).delete()[0]:
            record(actor, "route dropped", route, {"told": str(route)})
