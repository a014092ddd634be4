"""Triggers: what rules see in the warehouse becomes sightings, each once, and each comes to something that is kept.

take_in() reads what has happened since the position that is kept, and moves the position in the transaction that
writes the sightings: nothing is missed and nothing is seen twice, wherever a process dies. judge() decides about the
sightings that wait; a job is made in the transaction that turns them from waiting to fired.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import psycopg
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction

from audit.transitions import StateChangedError, record
from jobs import origin, submission
from jobs.models import Job
from jobs.origin import Origin, TakenError
from jobs.submission import AlreadyActiveError
from reprocessing import askers, blackouts, bookmarks, requests, rule_kinds
from reprocessing.asking_models import Bookmark, Sighting, Trigger
from reprocessing.blackouts import InBlackoutError
from reprocessing.planning import CannotPlanError
from reprocessing.rule_kinds import Look, Seen
from warehouse import downstream, happenings, registry, standing
from warehouse.connections import UnreachableWarehouseError, connect
from warehouse.errors import TellableError, reason_of

MOST_DEPTH = 3
AT_LATEST = 10  # quiet times after the first sighting, a rule fires though there is no quiet
HOUR = timedelta(hours=1)
KEPT_FOR = timedelta(days=90)  # what came to no job

Came = Sighting.Came
FOR_NOW = (Came.COOLING, Came.SPENT, Came.BLACKOUT)  # what holds a rule back until a time that comes by itself
log = logging.getLogger(__name__)


def take_in(connection: psycopg.Connection, now: datetime) -> int:
    """Note what active rules see in everything that was committed since the last look; how much happened."""
    with transaction.atomic():
        Bookmark.objects.get_or_create(name=bookmarks.POSITION, defaults={"value": happenings.START, "at": now})
        mark = Bookmark.objects.select_for_update(skip_locked=True).filter(name=bookmarks.POSITION).first()
        if mark is None:  # another process looks just now
            return 0
        position, happened = happenings.read(connection, mark.value)
        if happened:
            runs = list(dict.fromkeys(h.load_run_id for h in happened))
            _sight(Look(happened=happened, standings=standing.of_runs(connection, runs)), now)
            bookmarks.outdate_discovery(now)
        Bookmark.objects.filter(pk=mark.pk).update(value=position, at=now)
    return len(happened)


def take_in_slowly(connection: psycopg.Connection, now: datetime) -> None:
    """What no notice tells of: runs that fell silent, declarations that changed; and tidy up what was read, and what a
    worker that died after its commit did not note as committed."""
    with transaction.atomic():
        changed = bookmarks.changed_fingerprints(registry.current(), now)
        _sight(Look(silent=standing.silent(connection), changed=changed), now)
    if position := Bookmark.objects.filter(name=bookmarks.POSITION).values_list("value", flat=True).first():
        happenings.forget(connection, position)
    downstream.settle(connection)


def _sight(look: Look, now: datetime) -> None:
    for trigger in Trigger.objects.filter(state=Trigger.State.ACTIVE):
        try:
            kind = rule_kinds.of(trigger.kind)
            with transaction.atomic():
                _note(trigger, kind.sight(look, trigger.threshold) if kind.sight else (), now)
        except DatabaseError:
            raise
        except Exception as error:  # a rule that cannot judge is stopped, and the others go on
            told = f"Nothing knows the rule {trigger.kind}." if isinstance(error, KeyError) else reason_of(error)
            with suppress(StateChangedError):
                askers.stop(trigger, told)


def report(kind: str, seen: Iterable[Seen], now: datetime) -> int:
    """Tell the active rules of a kind what was found out elsewhere; how many of them were told how much, in all."""
    found, noted = list(seen), 0
    for trigger in Trigger.objects.filter(kind=kind, state=Trigger.State.ACTIVE):
        noted += _note(trigger, found, now)
    return noted


def _note(trigger: Trigger, seen: Iterable[Seen], now: datetime) -> int:
    wanted = [one for one in seen if trigger.extract in ("", one.extract)]
    makers = {job.pk: job for job in _makers(wanted)}
    rows = [
        Sighting(
            trigger=trigger,
            extract=one.extract,
            load_run_id=one.load_run_id,
            mark=one.mark[:64],
            told=one.told[:300],
            seen_at=now,
            depth=1 + origin.depth_of(makers.get(one.made_by) if one.made_by else None),
        )
        for one in wanted
    ]
    return len(Sighting.objects.bulk_create(rows, ignore_conflicts=True))


def _makers(seen: Sequence[Seen]) -> Iterable[Job]:
    ids = {one.made_by for one in seen if one.made_by}
    return Job.objects.filter(pk__in=ids).select_related("plan") if ids else ()


@dataclass(frozen=True)
class Batch:
    """Sightings of one rule and extract that are decided together."""

    trigger: Trigger
    extract: str
    sightings: tuple[Sighting, ...]

    @property
    def runs(self) -> list[UUID]:
        return list(dict.fromkeys(s.load_run_id for s in self.sightings if s.load_run_id))

    @property
    def depth(self) -> int:
        return max(s.depth for s in self.sightings)

    @property
    def told(self) -> str:
        first, more = self.sightings[0].told, len(self.sightings) - 1
        return f"{first}, and {more:,} more" if more else first

    def quiet(self, now: datetime) -> bool:
        """Whether nothing more was seen for the quiet time, or the first has waited long enough."""
        seen, wait = [s.seen_at for s in self.sightings], self.trigger.quiet_time
        return now - max(seen) >= wait or now - min(seen) >= AT_LATEST * wait


def forget(now: datetime) -> int:
    """Delete the sightings that came to no job a long time ago; how many."""
    old = Sighting.objects.filter(seen_at__lt=now - KEPT_FOR, job=None).exclude(came=Came.WAITING)
    return old.delete()[0]


def judge(url: str, now: datetime) -> int:
    """Decide about the sightings that have waited long enough; how many batches. One that fails stops no other."""
    waiting = Sighting.objects.filter(came=Came.WAITING).select_related("trigger__owner")
    decided = 0
    for (_pk, extract), found in groupby(
        waiting.order_by("trigger_id", "extract", "pk"), key=lambda s: (s.trigger_id, s.extract)
    ):
        sightings = tuple(found)
        batch = Batch(sightings[0].trigger, extract, sightings)
        if not batch.quiet(now):
            continue
        decided += 1
        try:
            decide(url, batch, now)
        except DatabaseError:
            raise
        except Exception as error:  # one bad rule never stops the others
            log.error("trigger %s: %s", batch.trigger.pk, reason_of(error))
            _came(batch.sightings, Came.FAILED, reason_of(error), now)
    return decided


def decide(url: str, batch: Batch, now: datetime) -> None:
    """Fire, or keep why not."""
    batch = _without_repeats(batch, now)
    came, why = _held_back(batch.trigger, batch.extract, now)
    if came in FOR_NOW and _seen_once(batch):
        _waits(batch.sightings, why)
        return
    if came:
        _came(batch.sightings, came, why, now)
        return
    deep = tuple(s for s in batch.sightings if s.depth > MOST_DEPTH)
    if deep:
        _too_deep(batch, deep, now)
        batch = replace(batch, sightings=tuple(s for s in batch.sightings if s.depth <= MOST_DEPTH))
    if batch.sightings:
        _ask(url, batch, now)


def _without_repeats(batch: Batch, now: datetime) -> Batch:
    """The last sighting of each run; it stands for the earlier ones."""
    last = {(s.load_run_id): s for s in batch.sightings}
    kept = tuple(last.values())
    repeats = [s for s in batch.sightings if s not in kept]
    _came(repeats, Came.DEBOUNCED, "A later sighting of the same run stands for it.", now)
    return replace(batch, sightings=kept)


def _held_back(trigger: Trigger, extract: str, now: datetime) -> tuple[str, str]:
    """What keeps the rule from asking about the extract now: how its sightings end, and why; "" when nothing does."""
    if trigger.state != Trigger.State.ACTIVE:
        return Came.PAUSED, f"The trigger is {trigger.state}."
    if told := askers.lost_right(trigger):
        with suppress(StateChangedError):
            askers.stop(trigger, told)
        return Came.NO_RIGHT, told
    if not trigger.dry_run and (open_now := blackouts.now_in_force(now)):
        return Came.BLACKOUT, f"{open_now}."
    return _spent(trigger, extract, now)


def _spent(trigger: Trigger, extract: str, now: datetime) -> tuple[str, str]:
    fired = Sighting.objects.filter(trigger=trigger, came=Came.FIRED)
    if fired.filter(extract=extract, decided_at__gt=now - trigger.cooldown_time).exists():
        return Came.COOLING, f"It asked for a job of {extract} less than {trigger.cooldown:,} s ago."
    if fired.filter(decided_at__gt=now - HOUR).values("job").distinct().count() >= trigger.budget:
        return Came.SPENT, f"It asked for {trigger.budget:,} jobs in the last hour, which is its budget."
    return "", ""


def _too_deep(batch: Batch, deep: Sequence[Sighting], now: datetime) -> None:
    told = (
        f"{MOST_DEPTH} triggers stand behind this run already, one after the other: no further job is asked for."
        " Look at the cause, and reprocess the run by hand."
    )
    _came(deep, Came.DEEP, told, now)
    runs = [str(s.load_run_id) for s in deep if s.load_run_id]
    record(None, "trigger stopped at its depth", batch.trigger, {"extract": batch.extract, "load_runs": runs})


def _ask(url: str, batch: Batch, now: datetime) -> None:
    trigger = batch.trigger
    try:
        with connect(url, purpose="trigger") as connection:
            runs, options = rule_kinds.of(trigger.kind).wanted(connection, batch.extract, batch.runs)
        if not runs:
            raise CannotPlanError(f"Raw holds no live record of {batch.extract}.")
        requests.ask_reprocess(
            url,
            runs,
            options,
            reason=f"Trigger {trigger.name}: {batch.told}"[:500],
            actor=trigger.owner,
            dry_run=trigger.dry_run,
            origin=_origin(batch, now),
        )
    except (TakenError, UnreachableWarehouseError):
        pass  # decided elsewhere; or the next turn tries again
    except InBlackoutError as error:
        if not _seen_once(batch):  # else the next turn finds it held back
            _came(batch.sightings, Came.BLACKOUT, str(error), now)
    except AlreadyActiveError as error:
        _left_to_others(batch, error, now)
    except CannotPlanError as error:
        _came(batch.sightings, Came.NOTHING, str(error), now)
    except KeyError:
        _came(batch.sightings, Came.FAILED, f"Nothing knows the rule {trigger.kind} any more.", now)
    except (TellableError, PermissionDenied) as error:
        _came(batch.sightings, Came.FAILED, str(error), now)


def _left_to_others(batch: Batch, error: AlreadyActiveError, now: datetime) -> None:
    """A job is about these runs: they are left to it, the others are decided about anew. Where this trigger asked for
    it, about another extract of the same run, they wait until it is over; so does what is seen only once."""
    if _seen_once(batch):
        _waits(batch.sightings, str(error))
        return
    held = submission.holders(batch.runs)
    own = batch.trigger.get_absolute_url()
    others = {run for run, job in held.items() if job.plan.options.get("origin", {}).get("path") != own}
    taken = [s for s in batch.sightings if s.load_run_id is None or s.load_run_id in others]
    _came(taken, Came.ACTIVE, str(error), now)


def _origin(batch: Batch, now: datetime) -> Origin:
    trigger, ids = batch.trigger, [s.pk for s in batch.sightings]

    def within(job: Job) -> None:
        locked = Trigger.objects.select_for_update().get(pk=trigger.pk)
        if locked.state != Trigger.State.ACTIVE or _spent(locked, batch.extract, now)[0]:
            raise TakenError("The trigger has fired or was paused just now.")
        taken = Sighting.objects.filter(pk__in=ids, came=Came.WAITING)
        if taken.update(came=Came.FIRED, job=job, why="", decided_at=now) != len(ids):
            raise TakenError("Another process has decided about these sightings.")
        record(None, "trigger fired", locked, {"extract": batch.extract, "job": str(job.pk), "depth": batch.depth})

    told = f"trigger {trigger.name}"
    return Origin(told, trigger.get_absolute_url(), trigger.owner, tuple(trigger.authors), batch.depth, within)


def _seen_once(batch: Batch) -> bool:
    kind = rule_kinds.find(batch.trigger.kind)
    return kind is not None and kind.once


def _waits(sightings: Iterable[Sighting], why: str) -> None:
    """They wait on, and say for what."""
    ids = [s.pk for s in sightings if s.why != why[:500]]
    if ids:
        Sighting.objects.filter(pk__in=ids, came=Came.WAITING).update(why=why[:500])


def _came(sightings: Iterable[Sighting], came: str, why: str, now: datetime) -> None:
    ids = [s.pk for s in sightings]
    if ids:
        Sighting.objects.filter(pk__in=ids, came=Came.WAITING).update(came=came, why=why[:500], decided_at=now)
