"""What notifications need done by the clock of a worker."""

from datetime import datetime, timedelta
from random import SystemRandom

from notifications import dispatch, sending
from notifications.models import Entry, Message

EVERY = timedelta(seconds=4)
KEPT = timedelta(days=90)  # letters that were sent, and what is in inboxes
CHANCE = SystemRandom()


def by_the_clock(now: datetime) -> None:
    dispatch.dispatch(now)
    sending.send_due(now, CHANCE)


def prune(now: datetime) -> int:
    """Remove what is old; how many. Letters that were not delivered stay until somebody has dealt with them."""
    letters, _ = Message.objects.filter(created_at__lt=now - KEPT, state=Message.State.SENT).delete()
    entries, _ = Entry.objects.filter(at__lt=now - KEPT).delete()
    return letters + entries
