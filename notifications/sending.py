"""Sends the letters that are due. At least once, always with the same id: a sender that is killed between sending and
noting it has its letter sent again when its claim runs out.

A claim counts the try and puts the letter off by LEASE before anything is sent; nothing is held while it is sent.
"""

import logging
import time
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random

from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.utils import timezone

from audit.transitions import StateChangedError, move
from notifications import backoff, chat, letters, vault, webhook
from notifications.delivery import UndeliveredError
from notifications.models import Attempt, Channel, Message
from notifications.webhook import Hook
from warehouse.errors import TellableError

LEASE = timedelta(minutes=3)
MOST = 50  # letters a round
LONGEST_ROUND = timedelta(minutes=1)  # slow channels must not hold up what else is done by the clock
DEAD = "message dead"
log = logging.getLogger(__name__)


def send_due(now: datetime, chance: Random) -> int:
    """Send what is due; how many were delivered. A channel that does not take one is left alone for this round."""
    silent: set[int] = set()
    delivered, began = 0, time.monotonic()
    for _number in range(MOST):
        passed = timedelta(seconds=time.monotonic() - began)
        message = claim(now + passed, silent) if passed < LONGEST_ROUND else None
        if message is None:
            break
        if attempt(message, now + passed, chance):
            delivered += 1
        else:
            silent.add(message.channel_id)
    return delivered


def claim(now: datetime, silent: set[int]) -> Message | None:
    """The letter that has been due for the longest time and that nobody else sends; None: there is none."""
    due = Message.objects.filter(state=Message.State.WAITING, due_at__lte=now, channel__state=Channel.State.ACTIVE)
    with transaction.atomic():
        locked = due.exclude(channel__in=silent).select_for_update(skip_locked=True, of=("self",)).order_by("due_at")
        message = locked.select_related("channel", "person").first()
        if message is not None:
            message.attempts += 1
            message.sealed, message.due_at = True, now + LEASE
            message.save(update_fields=["attempts", "sealed", "due_at"])
    return message


def attempt(message: Message, now: datetime, chance: Random) -> bool:
    """Try once to deliver a claimed letter, and note what came of it."""
    began = time.monotonic()
    try:
        told, failure = send(message), None
    except UndeliveredError as error:
        told, failure = str(error), error
    except TellableError as error:
        told, failure = str(error), UndeliveredError(str(error), permanent=True)
    except DatabaseError:
        raise
    except Exception as error:  # of a client of some service: the letter is tried again, the others go on
        log.warning("A letter could not be sent: %s", type(error).__name__)
        told, failure = f"It stopped at an unforeseen {type(error).__name__}.", UndeliveredError("")
    took = round((time.monotonic() - began) * 1000)
    with suppress(StateChangedError), transaction.atomic():
        Attempt.objects.create(message=message, at=now, delivered=not failure, milliseconds=took, told=told[:300])
        _note(message, now, told[:300], failure, chance)
    return failure is None


def _note(message: Message, now: datetime, told: str, failure: UndeliveredError | None, chance: Random) -> None:
    waiting, mine = [Message.State.WAITING], {"attempts": message.attempts}
    about = {"channel": message.channel.name, "tries": message.attempts}
    if failure is None:
        move(message, Message.State.SENT, among=waiting, actor=None, where=mine, detail=about, sent_at=now, error="")
    elif failure.permanent or message.attempts >= backoff.MOST_ATTEMPTS:
        detail = {**about, "why": told}
        move(message, Message.State.DEAD, among=waiting, actor=None, where=mine, detail=detail, error=told)
    else:
        again = now + backoff.wait(message.attempts, chance)
        Message.objects.filter(pk=message.pk, state=Message.State.WAITING, **mine).update(due_at=again, error=told)


def send(message: Message) -> str:
    """Hand a letter to its channel. Raises UndeliveredError, UnreadableAddressError."""
    channel = message.channel
    letter = letters.of(message, personal=channel.personal)
    return deliver_by(channel, letter, person=message.person)


def deliver_by(channel: Channel, letter: letters.Letter, *, person: User | None) -> str:
    """Hand a letter to a channel, for a person where it is a personal one. Raises as send()."""
    address = vault.open_(channel.address)
    if channel.form == Channel.Form.WEBHOOK:
        return webhook.post(
            Hook(address, vault.open_(channel.secret)), letter, timestamp=int(timezone.now().timestamp())
        )
    if channel.personal and not (person and person.is_active and person.email):
        raise UndeliveredError("The person has no mail address here, or no account any more.", permanent=True)
    return chat.send(channel.form, address, letter, to=person.email if person and channel.personal else "")
