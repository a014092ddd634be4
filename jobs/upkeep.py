"""What rooms do by the clock without being asked, beside the reconciler: an hour's work must not keep a lapsed job
waiting. Where one stops short, its next time tries again; the others are not disturbed."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

LOOK_SECONDS = 5.0
log = logging.getLogger(__name__)


class Regular:
    """`act` done once in `every`; `failing` says in the log what then did not happen."""

    def __init__(self, act: Callable[[datetime], object], *, every: timedelta, failing: str) -> None:
        self._act, self._every, self._failing = act, every, failing
        self._next: datetime | None = None

    def __call__(self, now: datetime) -> None:
        if self._next and now < self._next:
            return
        self._next = now + self._every
        try:
            self._act(now)
        except DatabaseError:
            raise
        except Exception as error:  # a defect of one room must not end the others; its message may quote a value
            log.warning("%s: %s", self._failing, type(error).__name__)


_known: list[Regular] = []


def regularly(act: Callable[[datetime], object], *, every: timedelta, failing: str) -> None:
    """Have a room's act done by the clock of every worker. Two workers do no harm: each act sees to that."""
    _known.append(Regular(act, every=every, failing=failing))


def run(ended: threading.Event) -> None:
    """Until `ended` is set: do what is due. A console's database that is away is waited for."""
    while not ended.wait(LOOK_SECONDS):
        for regular in _known:
            try:
                regular(timezone.now())
            except DatabaseError:
                close_old_connections()
