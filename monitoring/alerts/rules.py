"""What people do to rules; and what a rule would have done: the back-test."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from django.contrib.auth.models import User
from django.db import transaction

from access import days, rights
from audit.transitions import move, record
from jobs.naming import naming
from monitoring.alerts import judging, metrics
from monitoring.alerts.judging import Incident, Limit
from monitoring.alerts.metrics import BACK, BY_NAME, Look
from monitoring.alerts.models import Alert, Rule

KEPT_IN_TRAIL = (
    "name",
    "metric",
    "extract",
    "above",
    "threshold",
    "relative",
    "x",
    "y",
    "recover",
    "severity",
    "every",
)
SHOWN = 20


@dataclass(frozen=True)
class BackTest:
    """What a rule would have made of the last 90 days; `judged` values were there. `cases`: bad values. `unknown`: why
    nothing can be said ("": it can). `days`: on which days how many alerts would have begun."""

    incidents: tuple[Incident, ...] = ()
    cases: int = 0
    judged: int = 0
    unknown: str = ""
    days: tuple[tuple[date, int], ...] = ()

    @property
    def shown(self) -> tuple[Incident, ...]:
        """The newest."""
        return tuple(sorted(self.incidents, key=lambda one: one.began, reverse=True)[:SHOWN])


def back_test(connection: psycopg.Connection, metric: str, limit: Limit, extract: str, now: datetime) -> BackTest:
    """Try a rule on what is known of the last 90 days. Raises UnreachableWarehouseError."""
    known = BY_NAME[metric]
    samples = known.samples if known.facts else known.past
    if samples is None:
        return BackTest(unknown="Of this nothing is kept from before: it cannot be tried on the past.")
    split = bool(extract) or limit.relative or limit.y > 1
    found = samples(Look(connection, now, now - BACK, extract=extract, split=split))
    incidents: list[Incident] = []
    cases = judged = 0
    for row in metrics.series_of(found).values():
        verdicts = judging.verdicts(row, limit)
        incidents += judging.incidents(verdicts, limit)
        cases += sum(bool(verdict.bad) for verdict in verdicts)
        judged += sum(verdict.bad is not None for verdict in verdicts)
    begun = Counter(days.of(incident.began) for incident in incidents)
    return BackTest(tuple(incidents), cases, judged, days=tuple(sorted(begun.items(), reverse=True)[:SHOWN]))


def save(rule: Rule, actor: User, *, now: datetime) -> None:
    """Keep a new or changed rule; it tells of what comes from now on. Raises PermissionDenied, NameTakenError."""
    rights.demand(actor, rights.MANAGE_ALERTS)
    with naming("an alert rule"):
        new = rule.pk is None
        if not new:
            rule.state = Rule.objects.select_for_update().get(pk=rule.pk).state
        rule.active_from = now
        rule.save()
        rule.levels.all().delete()
        record(actor, f"{rule._meta.verbose_name} {'created' if new else 'changed'}", rule, _told(rule))


def _told(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in KEPT_IN_TRAIL}


def pause(rule: Rule, actor: User) -> None:
    """Its alerts stay as they are until it is resumed. Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.MANAGE_ALERTS)
    move(rule, Rule.State.PAUSED, among=[Rule.State.ACTIVE], actor=actor, detail={"name": rule.name})


def resume(rule: Rule, actor: User, *, now: datetime) -> None:
    """It tells of what comes from now on. Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.MANAGE_ALERTS)
    detail = {"name": rule.name}
    move(rule, Rule.State.ACTIVE, among=[Rule.State.PAUSED], actor=actor, detail=detail, active_from=now)


def retire(rule: Rule, actor: User, *, now: datetime) -> None:
    """It looks at nothing any more, and its living alerts are over. Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.MANAGE_ALERTS)
    with transaction.atomic():
        among = [Rule.State.ACTIVE, Rule.State.PAUSED]
        move(rule, Rule.State.RETIRED, among=among, actor=actor, detail={"name": rule.name})
        Rule.objects.filter(pk=rule.pk).update(name=f"{rule.name[:50]} (retired {rule.pk})")
        for alert in rule.alerts.filter(state__in=Alert.LIVING):
            detail = {"why": "its rule was retired"}
            move(alert, Alert.State.RESOLVED, among=Alert.LIVING, actor=actor, detail=detail, resolved_at=now)
