"""Schedules: their times become slots, each once, and each slot comes to something that is kept.

A turn first writes the times that are due as rows (unique by schedule and time), then settles the rows that wait.
A job is made in the transaction that turns its row from waiting to fired, under the schedule's lock: however many
processes take turns, and wherever one dies, a slot fires once and at most one job of a schedule is active.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction

from access import rights
from audit.transitions import StateChangedError, record
from jobs import submission
from jobs.models import Job
from jobs.origin import Origin, TakenError
from jobs.submission import AlreadyActiveError
from reprocessing import askers, blackouts, requests, slots
from reprocessing.asking_models import Blackout, Schedule, Slot
from reprocessing.blackouts import InBlackoutError
from reprocessing.forms import DiscoveryFilter
from reprocessing.planning import CannotPlanError
from reprocessing.slots import NoScheduleError
from warehouse import registry
from warehouse.connections import UnreachableWarehouseError
from warehouse.discovery import Filter
from warehouse.errors import TellableError, reason_of

GRACE = timedelta(minutes=5)  # a time that is not older than this is not missed
LOOKED_BACK = timedelta(days=31)
MOST_CAUGHT_UP = 50
GIVEN_UP_AFTER = timedelta(hours=1)  # of a warehouse that does not answer

KEPT_FOR = timedelta(days=90)  # what came to no job; a time that fired is kept as long as its job

Came, Overlap, CatchUp = Slot.Came, Schedule.Overlap, Schedule.CatchUp
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Due:
    """Times that are due: `now` is on time, `late` are made up for, `missed` are gone."""

    now: datetime | None = None
    late: list[datetime] = field(default_factory=list)
    missed: list[datetime] = field(default_factory=list)


def sort_out(due: Sequence[datetime], now: datetime, catch_up: str, most: int) -> Due:
    """What the catch-up policy makes of the times that are due, which are in order."""
    on_time = due[-1] if due and now - due[-1] <= GRACE else None
    older = list(due if on_time is None else due[:-1])
    kept = {CatchUp.NONE: 0, CatchUp.ONE: 0 if on_time else 1, CatchUp.ALL: min(most, MOST_CAUGHT_UP)}[
        CatchUp(catch_up)
    ]
    cut = max(0, len(older) - kept)
    return Due(on_time, older[cut:], older[:cut])


def turn(now: datetime) -> int:
    """Take in what is due and settle what waits, schedule by schedule; one that fails stops no other. How many
    schedules had something to settle."""
    for schedule in Schedule.objects.filter(state=Schedule.State.ACTIVE):
        try:
            take_in(schedule, now)
        except TellableError as error:
            with suppress(StateChangedError):
                askers.stop(schedule, str(error))
    waiting = list(Schedule.objects.filter(slots__came=Came.WAITING).distinct().select_related("owner"))
    for schedule in waiting:
        settle(schedule, now)
    return len(waiting)


@lru_cache(maxsize=1000)
def _next(expression: str, zone: str, until: datetime) -> datetime | None:
    return next(iter(slots.next_times(expression, zone, until, 1)), None)


def take_in(schedule: Schedule, now: datetime) -> None:
    """Write the times that are due as slots. Raises NoScheduleError."""
    upcoming = _next(schedule.expression, schedule.zone, schedule.until)
    if upcoming is None or upcoming > now:
        return
    with transaction.atomic():
        locked = Schedule.objects.select_for_update(skip_locked=True).filter(pk=schedule.pk).first()
        if locked is None or locked.state != Schedule.State.ACTIVE:
            return
        since = max(locked.until, now - LOOKED_BACK)
        found = slots.between(locked.expression, locked.zone, since, now)
        due = sort_out(found, now, locked.catch_up, locked.catch_up_most)
        rows = [Slot(schedule=locked, slot=late, late=True) for late in due.late]
        if due.now:
            rows.append(Slot(schedule=locked, slot=due.now))
        if due.missed:
            rows.append(_missed(locked, due.missed))
        Slot.objects.bulk_create(rows, ignore_conflicts=True)
        locked.until = max(now, locked.until)
        locked.save(update_fields=["until"])


def _missed(schedule: Schedule, missed: Sequence[datetime]) -> Slot:
    told = "No watcher ran then, and the schedule does not make up for it."
    if len(missed) > 1:
        told = f"{len(missed):,} times since {missed[0]:%Y-%m-%d %H:%M} UTC: no watcher ran then. Not made up for."
    return Slot(schedule=schedule, slot=missed[-1], came=Came.MISSED, stands_for=len(missed), why=told)


def settle(schedule: Schedule, now: datetime) -> None:
    """Decide about each slot of the schedule that waits: what is on time first, then what is made up for."""
    for slot in Slot.objects.filter(schedule=schedule, came=Came.WAITING).order_by("late", "slot"):
        slot.schedule = schedule
        try:
            decide(slot, now)
        except DatabaseError:
            raise
        except Exception as error:  # one bad slot never stops the others
            log.error("schedule %s: %s", schedule.pk, reason_of(error))
            _came(slot, Came.FAILED, reason_of(error))


def decide(slot: Slot, now: datetime) -> None:
    """Fire the slot, or keep why not, or leave it waiting."""
    schedule = slot.schedule
    if schedule.state != Schedule.State.ACTIVE and not slot.by_id:
        return _came(slot, Came.SKIPPED, f"The schedule is {schedule.state}.")
    if told := askers.lost_right(schedule):
        with suppress(StateChangedError):
            askers.stop(schedule, told)
        return _came(slot, Came.SKIPPED, told)
    if not schedule.dry_run and not slot.past_blackout and (open_now := blackouts.now_in_force(now)):
        return _came(slot, Came.SKIPPED, f"{open_now}.")
    if active := active_job(schedule):
        return _overlapping(slot, active)
    _ask(slot, now)
    return None


def active_job(schedule: Schedule) -> Job | None:
    """The job of the schedule that is not over."""
    fired = Slot.objects.filter(schedule=schedule, job__state__in=Job.ACTIVE).select_related("job__plan").first()
    return fired.job if fired else None


def _overlapping(slot: Slot, active: Job) -> None:
    policy, about = slot.schedule.overlap, f"job {str(active.pk)[:8]} of an earlier time is {active.state}"
    if slot.late:
        return
    others = Slot.objects.filter(schedule=slot.schedule, came=Came.WAITING, late=False).exclude(pk=slot.pk)
    if policy == Overlap.SKIP or slot.by_id:
        _came(slot, Came.SKIPPED, f"Skipped: {about}.")
    elif policy == Overlap.QUEUE and others.filter(slot__lt=slot.slot).exists():
        _came(slot, Came.SKIPPED, f"Skipped: {about}, and another time waits for its end already.")
    elif policy == Overlap.CANCEL and others.filter(slot__gt=slot.slot).exists():
        _came(slot, Came.SKIPPED, "Skipped: a later time came before that job was cancelled.")
    elif policy == Overlap.CANCEL:
        _cancel(slot, active)


def _cancel(slot: Slot, active: Job) -> None:
    owner = slot.schedule.owner
    if not rights.may(owner, rights.CANCEL):
        return _came(slot, Came.SKIPPED, f"Its owner {owner.get_username()} may not {rights.CANCEL}.")
    if not active.cancel_asked:
        with suppress(StateChangedError):  # it was over before: the next turn asks
            submission.cancel(active, owner)
    return None


def _ask(slot: Slot, now: datetime) -> None:
    schedule = slot.schedule
    try:
        requests.ask_found(
            str(settings.WAREHOUSE_URL),
            wanted_of(schedule),
            expected=None,
            reason=f"Schedule {schedule.name}",
            actor=slot.by or schedule.owner,
            dry_run=schedule.dry_run,
            origin=_origin(slot),
            past_blackout=slot.past_blackout,
        )
    except TakenError:
        pass
    except UnreachableWarehouseError as error:
        if slot.by_id or (not slot.late and now - slot.slot > GIVEN_UP_AFTER):
            _came(slot, Came.FAILED, str(error))
    except InBlackoutError as error:
        _came(slot, Came.SKIPPED, str(error))
    except AlreadyActiveError as error:  # a job that became active while this one was planned
        if slot.by_id:
            _came(slot, Came.SKIPPED, str(error))  # else the next turn finds what that job is not about
    except CannotPlanError as error:
        _came(slot, Came.NOTHING, str(error))
    except (TellableError, PermissionDenied) as error:
        _came(slot, Came.FAILED, str(error))


def wanted_of(schedule: Schedule) -> Filter:
    """The discovery filter. Raises NoScheduleError where it names what is not there any more."""
    form = filter_of(schedule)
    if not form.is_valid():
        raise NoScheduleError(f"Its filter cannot be used any more: {', '.join(form.errors)}. Change the schedule.")
    return form.wanted()


def filter_of(schedule: Schedule) -> DiscoveryFilter:
    """The form of what it asks for, filled in."""
    filled = schedule.wanted if isinstance(schedule.wanted, dict) else {"most": "unreadable"}
    return DiscoveryFilter(filled, registry.current().names)


def _origin(slot: Slot) -> Origin:
    schedule = slot.schedule

    def within(job: Job) -> None:
        locked = Schedule.objects.select_for_update().get(pk=schedule.pk)
        if active_job(locked) or (locked.state != Schedule.State.ACTIVE and not slot.by_id):
            raise TakenError("The schedule has an active job, or was paused just now.")
        if not Slot.objects.filter(pk=slot.pk, came=Came.WAITING).update(came=Came.FIRED, job=job, why=""):
            raise TakenError("Another process has settled this time.")
        record(slot.by, "schedule fired", locked, {"slot": slot.slot.isoformat(), "job": str(job.pk)})

    return Origin(
        f"schedule {schedule.name}",
        schedule.get_absolute_url(),
        schedule.owner,
        tuple(schedule.authors),
        0,
        within,
        by_hand=slot.by is not None,
    )


def _came(slot: Slot, came: str, why: str) -> None:
    Slot.objects.filter(pk=slot.pk, came=Came.WAITING).update(came=came, why=why[:500])


def forget(now: datetime) -> int:
    """Delete the slots that came to no job a long time ago; how many."""
    old = Slot.objects.filter(slot__lt=now - KEPT_FOR, job=None).exclude(came=Came.WAITING)
    return old.delete()[0]


def run_now(schedule: Schedule, actor: User, now: datetime, *, past_blackout: str = "") -> Slot:
    """Have it ask once, now: the actor is who asks, what is asked for and whose right counts are the schedule's. Gives
    the slot with what came of it.

    Raises PermissionDenied, InBlackoutError.
    """
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    if not schedule.dry_run:
        blackouts.demand(past_blackout, now)
    with transaction.atomic():
        slot = Slot.objects.create(schedule=schedule, slot=now, by=actor, past_blackout=past_blackout)
        record(actor, "schedule run by hand", schedule, {"past_blackout": past_blackout} if past_blackout else {})
    decide(slot, now)
    slot.refresh_from_db()
    return slot


@dataclass(frozen=True)
class Upcoming:
    """A time that will come, in the schedule's zone; `held_back`: why nothing will be asked for then ("": it will)."""

    moment: datetime
    held_back: str
    away: timedelta

    def __str__(self) -> str:
        return f"{self.moment:%A} {self.moment.day} {self.moment:%B %Y, %H:%M %Z}"

    @property
    def short(self) -> str:
        return f"{self.moment:%a} {self.moment.day} {self.moment:%b, %H:%M %Z}"


def upcoming(expression: str, zone: str, now: datetime, number: int = 5, *, dry_run: bool = False) -> list[Upcoming]:
    """The next times as people read them. Raises NoScheduleError."""
    windows = [] if dry_run else list(Blackout.objects.all())
    found = slots.next_times(expression, zone, now, number)
    held = [blackouts.in_force(windows, moment) for moment in found]
    return [
        Upcoming(moment, f"blackout, {open_then.window.reason}" if open_then else "", moment - now)
        for moment, open_then in zip(found, held, strict=True)
    ]
