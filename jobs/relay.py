"""Carries what the warehouse has noted of its own changes into the trail: in order, each once."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings
from django.db.models import Max

from audit import circumstances
from audit.models import Event
from warehouse import effects
from warehouse.connections import connect
from warehouse.effects import Effect
from warehouse.errors import PassingError

COUNTS = ("inserted", "updated", "deleted", "rejected")


def upkeep(now: datetime) -> None:
    """The reconciler's call. Where the warehouse does not answer, the next round does it."""
    with suppress(PassingError, psycopg.Error), connect(settings.WAREHOUSE_URL, purpose="relay") as connection:
        while relay(connection):
            pass


def relay(connection: psycopg.Connection) -> int:
    """Take over some of the effects that the trail does not know; how many. Two at once do no harm: an effect has
    one event."""
    newest = Event.objects.aggregate(newest=Max("effect"))["newest"] or 0
    known = Event.objects.filter(effect__gt=newest - effects.LATE).values_list("effect", flat=True)
    found = effects.since(connection, newest, known={number for number in known if number is not None})
    Event.objects.bulk_create((_event(effect) for effect in found), ignore_conflicts=True)
    return len(found)


def _event(effect: Effect) -> Event:
    return Event(
        actor_name=effect.actor,
        how=circumstances.WAREHOUSE,
        action=effect.action[:60],
        subject=f"job:{effect.job_id}" if effect.job_id else "warehouse:",
        detail={"at": effect.at.isoformat(), **_short(effect.detail)},
        effect=effect.effect_id,
    )


def _short(detail: dict[str, Any]) -> dict[str, Any]:
    """Without what can be long: of tables only what changed, of load runs and files only how many."""
    said = {name: value for name, value in detail.items() if not isinstance(value, dict | list)}
    for name in ("load_runs", "files"):
        if detail.get(name):
            said[name] = len(detail[name])
    tables = detail.get("tables")
    if isinstance(tables, dict):
        changed = {table: {name: c[name] for name in COUNTS if c.get(name)} for table, c in tables.items()}
        said["tables"] = {table: counts for table, counts in changed.items() if counts}
        said["rows changed"] = sum(c.get(n, 0) for c in tables.values() for n in COUNTS[:3])
    return said
