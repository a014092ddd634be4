"""Signs of life of workers and web processes, kept where watchers keep theirs (reprocessing.bookmarks)."""

import os
import socket
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import DatabaseError

from reprocessing.bookmarks import WATCHER
from reprocessing.models import Bookmark

WORKER, WEB = "worker ", "web "
KINDS = {"worker": WORKER, "watcher": WATCHER, "web": WEB}
BEAT = timedelta(seconds=10)
KEPT_FOR = timedelta(days=1)

_last: dict[str, datetime] = {}


def worker(now: datetime) -> None:
    """The reconciler's call: every round of a worker's main process."""
    _beat(WORKER, now)


def web(now: datetime) -> None:
    """A web process has answered; a console's database that is away takes no sign of life."""
    with suppress(DatabaseError):
        _beat(WEB, now)


def all_known() -> list[tuple[str, str, datetime]]:
    """(kind, host and process, last sign of life) of every process of the last day."""
    found = []
    for kind, prefix in KINDS.items():
        marks = Bookmark.objects.filter(name__startswith=prefix).order_by("-at").values_list("name", "at")
        found += [(kind, name.removeprefix(prefix), at) for name, at in marks]
    return found


def _beat(kind: str, now: datetime) -> None:
    """At most one in BEAT; after a clock that went back at once."""
    name = f"{kind}{socket.gethostname()}:{os.getpid()}"[:150]
    if name in _last and timedelta() <= now - _last[name] < BEAT:
        return
    _last[name] = now
    Bookmark.objects.update_or_create(name=name, defaults={"at": now})
    Bookmark.objects.filter(name__startswith=kind, at__lt=now - KEPT_FOR).delete()
