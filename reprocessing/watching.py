"""The watcher: hears of what happens in the warehouse, lets triggers act on it, and fires schedules.

One thread listens and looks; a notice that is lost is made up for by a look every few seconds. Another keeps the
time, so that a schedule with many files to read does not delay a trigger. Both may be killed anywhere.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime

import psycopg
from django.db import DatabaseError, connection
from django.utils import timezone

from audit import circumstances
from reprocessing import bookmarks, schedules, triggers
from warehouse import happenings
from warehouse.connections import UnreachableWarehouseError
from warehouse.errors import TellableError, reason_of

LOOK_SECONDS = 3.0  # between looks where no notice comes
SLOW_LOOK_SECONDS = 60.0
TURN_SECONDS = 1.0
BEAT_SECONDS = 5.0
TIDY_SECONDS = 3600.0
LONGEST_WAIT_SECONDS = 10.0

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]


class Watcher:
    """`ended` is set to end it; `told` hears in words what it comes across."""

    def __init__(self, url: str, *, told: Callable[[str], None], clock: Clock = timezone.now) -> None:
        self.url, self.told, self.clock = url, told, clock
        self.ended = threading.Event()

    def run(self) -> None:
        """Watch until `ended` is set; reconnects by itself."""
        threading.Thread(target=self._keep_time, name="schedules", daemon=True).start()
        wait = 0.5
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                with happenings.listening(self.url) as ear:
                    self.told("The watcher listens.")
                    self._listen(ear)
            except (UnreachableWarehouseError, psycopg.Error, DatabaseError, TellableError) as error:
                connection.close()
                wait = 0.5 if time.monotonic() - began > LONGEST_WAIT_SECONDS else min(2 * wait, LONGEST_WAIT_SECONDS)
                if not self.ended.is_set():
                    self.told(f"{_words(error)} It is tried again in {wait:g} s; nothing is missed.")
                self.ended.wait(wait)

    def _listen(self, ear: psycopg.Connection) -> None:
        looked = looked_slowly = float("-inf")
        while not self.ended.is_set():
            triggers.take_in(ear, self.clock())
            looked = time.monotonic()
            if looked - looked_slowly > SLOW_LOOK_SECONDS:
                triggers.take_in_slowly(ear, self.clock())
                looked_slowly = looked
            heard = False
            while not (heard or self.ended.is_set() or time.monotonic() - looked > LOOK_SECONDS):
                with circumstances.of(circumstances.TRIGGER):
                    triggers.judge(self.url, self.clock())
                heard = any(True for _notice in ear.notifies(timeout=0.5, stop_after=1))
            for _notice in ear.notifies(timeout=0):
                pass  # one look is for all of them

    def _keep_time(self) -> None:
        beat = tidied = float("-inf")
        while not self.ended.wait(TURN_SECONDS):
            try:
                if time.monotonic() - tidied > TIDY_SECONDS:
                    schedules.forget(self.clock())
                    triggers.forget(self.clock())
                    tidied = time.monotonic()
                if time.monotonic() - beat > BEAT_SECONDS:
                    bookmarks.alive(f"{socket.gethostname()}:{os.getpid()}", self.clock())
                    beat = time.monotonic()
                with circumstances.of(circumstances.SCHEDULE):
                    schedules.turn(self.clock())
            except Exception as error:  # the next turn tries again
                log.error("schedules: %s", _words(error))
                connection.close()


def _words(error: BaseException) -> str:
    return "The console's database does not answer." if isinstance(error, DatabaseError) else reason_of(error)
