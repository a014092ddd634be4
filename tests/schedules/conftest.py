"""A schedule, a trigger, and their turns at a time of the test's own."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from jobs import submission
from jobs.models import Job
from reprocessing import askers, schedules, triggers
from reprocessing.models import Schedule, Slot, Trigger
from tests.house import House

START = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)  # a Monday; it was 01:00 on Tuesday in Auckland
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def make(console: House, people):
    def made(name: str = "Nightly", **fields: Any) -> Schedule:
        given = {"expression": "* * * * *", "zone": "UTC", "owner": people["operator"], "until": START, **fields}
        schedule = Schedule(name=name, **given)
        askers.save(schedule, people["ops"])
        return schedule

    return made


@pytest.fixture
def rule(console: House, people):
    def made(name: str = "Retry", **fields: Any) -> Trigger:
        given = {"kind": "run failed", "owner": people["operator"], "quiet": 0, "cooldown": 0, **fields}
        trigger = Trigger(name=name, **given)
        askers.save(trigger, people["ops"])
        return trigger

    return made


def came(schedule: Schedule) -> list[tuple[str, str]]:
    """(time, what came of it) of each slot, in order."""
    return [(f"{s.slot:%H:%M}", s.came) for s in Slot.objects.filter(schedule=schedule).order_by("slot")]


def turn_at(*moments: datetime) -> None:
    for moment in moments:
        schedules.turn(moment)


def spoil(house: House, day: str = "20260105", org: str = "a") -> Any:
    """Deliver a file that cannot be read; gives its run."""
    (house.folder / f"{org}_visits_{day}.csv").write_text("spoilt\n")
    (loaded,) = house.load().runs
    return loaded.load_run_id


def cancel(job: Job) -> None:
    submission.cancel(job, job.requested_by)


def look(house: House, now: datetime = START) -> int:
    """What a watcher does when it hears something."""
    happened = triggers.take_in(house.connection, now)
    triggers.judge(settings.WAREHOUSE_URL, now)
    return happened
