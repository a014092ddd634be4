"""Letters that were not delivered: found, told, and sent again, with the same id."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from access import rights
from audit.transitions import StateChangedError, move
from notifications.models import Channel, Message, Occurrence


def dead() -> QuerySet[Message]:
    """The newest first."""
    return Message.objects.filter(state=Message.State.DEAD).select_related("channel", "person")


def late() -> QuerySet[Message]:
    """Those that were tried in vain and are tried again."""
    waiting = Message.objects.filter(state=Message.State.WAITING, attempts__gt=0).exclude(error="")
    return waiting.select_related("channel", "person").order_by("due_at")


def stuck() -> int:
    """How many occurrences could not be made into letters."""
    return Occurrence.objects.filter(stuck=True).count()


def resend(ids: Sequence[UUID], actor: User, now: datetime) -> int:
    """Have these tried again, from the first wait on; how many. Those of retired channels stay. Raises
    PermissionDenied."""
    rights.demand(actor, rights.MANAGE_CHANNELS)
    sent = 0
    with transaction.atomic():
        for message in dead().filter(pk__in=ids).exclude(channel__state=Channel.State.RETIRED):
            try:
                again: dict[str, Any] = {"attempts": 0, "due_at": now, "sealed": True, "error": ""}
                detail = {"channel": message.channel.name, "why it was not": message.error}
                move(message, Message.State.WAITING, among=[Message.State.DEAD], actor=actor, detail=detail, **again)
                sent += 1
            except StateChangedError:
                continue
        Occurrence.objects.filter(stuck=True).update(stuck=False)
    return sent
