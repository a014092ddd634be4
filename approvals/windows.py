"""Change windows: times of the week in which approved jobs begin. An approval keeps its window as it was then."""

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from approvals.models import Window
from audit.transitions import record
from jobs.naming import naming
from jobs.submission import NotPermittedError
from jobs.weekly import Weekly, days

Kept = dict[str, Any]


def as_json(window: Window) -> Kept:
    """The window as an approval keeps it."""
    return {
        "name": window.name,
        "weekdays": sorted(window.weekdays),
        "begins": window.begins.isoformat("minutes"),
        "ends": window.ends.isoformat("minutes"),
        "zone": window.zone,
    }


def is_open(kept: Kept, now: datetime) -> bool:
    """Raises NotPermittedError where what was kept is no window."""
    return _weekly(kept).end(now) is not None


def opening(kept: Kept, now: datetime) -> datetime:
    """When a job may begin at the earliest. Raises NotPermittedError where what was kept is no window."""
    found = _weekly(kept).opening(now)
    if found is None:
        raise NotPermittedError("The change window of the approval never opens. Nothing was done.")
    return found


def _weekly(kept: Kept) -> Weekly:
    try:
        begins, ends = time.fromisoformat(kept["begins"]), time.fromisoformat(kept["ends"])
        return Weekly(tuple(kept["weekdays"]), begins, ends, ZoneInfo(kept["zone"]))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise NotPermittedError("The change window of the approval cannot be read. Nothing was done.") from error


def told(kept: Kept) -> str:
    """ "Night window: Monday to Friday, 22:00 to 04:00 Pacific/Auckland"."""
    return f"{kept['name']}: {days(kept['weekdays'])}, {kept['begins']} to {kept['ends']} {kept['zone']}"


def add(window: Window, actor: User) -> None:
    """Raises PermissionDenied, NameTakenError."""
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    with naming("a change window"):
        window.save(force_insert=True)
        record(actor, "change window added", window, as_json(window))


def remove(window: Window, actor: User) -> None:
    """What was approved for it keeps it. Nothing is done where it is gone already. Raises PermissionDenied."""
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    with transaction.atomic():
        if Window.objects.filter(pk=window.pk).delete()[0]:
            record(actor, "change window removed", window, as_json(window))
