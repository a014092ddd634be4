"""How an alert comes to be, grows, recovers, comes again; and what people do to it."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from access import rights
from audit.reasons import said
from audit.transitions import StateChangedError, move, record
from monitoring.alerts import judging, metrics
from monitoring.alerts.judging import Verdict
from monitoring.alerts.metrics import Metric
from monitoring.alerts.models import Alert, Level, Note, Rule
from warehouse.errors import TellableError

SHOWN = 5  # of the cases of an alert
AGAIN_WITHIN = timedelta(days=1)  # what comes back sooner is the same alert, reopened
LONGEST_SNOOZE = timedelta(days=30)
OPENED, AGAIN = "alert opened", "alert again"


class NeedsWordsError(TellableError):
    """Something must be said or chosen first. Nothing was changed."""


def found(rule: Rule, metric: Metric, series: str, cases: Sequence[Verdict], now: datetime) -> Alert:
    """Open an alert about these cases, reopen the one that has just gone, or add them to the living one."""
    of_series = Alert.objects.select_for_update().filter(rule=rule, series=series)
    living = of_series.exclude(state=Alert.State.RESOLVED).first()
    last = of_series.filter(resolved_at__gt=now - AGAIN_WITHIN).order_by("-resolved_at").first()
    if living is not None:
        _add(living, metric, cases, now)
        living.save()
        if rule.every and living.state != Alert.State.SNOOZED:
            record(None, AGAIN, living, {"cases": len(cases), "told": living.told})
        return living
    if last is not None:
        _add(last, metric, cases, now)
        last.changes = _changed(last, now)
        last.save()
        flaps = judging.flapping(_moments(last), now)
        move(
            last,
            Alert.State.REOPENED,
            among=[Alert.State.RESOLVED],
            actor=None,
            detail={"told": last.told, "flapping": flaps, "begins": flaps and len(last.changes) == judging.FLAPS},
            resolved_at=None,
        )
        return last
    return _open(rule, metric, series, cases, now)


def _open(rule: Rule, metric: Metric, series: str, cases: Sequence[Verdict], now: datetime) -> Alert:
    alert = Alert(rule=rule, series=series, cause=_cause(metric, series), severity=rule.severity, opened_at=now)
    _add(alert, metric, cases, now)
    alert.changes = _changed(alert, now)
    alert.save()
    record(None, OPENED, alert, {"rule": rule.name, "series": series, "cases": len(cases), "told": alert.told})
    return alert


def _cause(metric: Metric, series: str) -> str:
    """What alerts of several rules have in common: the extract, the kind of job, or the console."""
    return f"{metric.scope} {series}" if metric.scope != "console" else metrics.CONSOLE


def _add(alert: Alert, metric: Metric, cases: Sequence[Verdict], now: datetime) -> None:
    alert.count += len(cases)
    alert.last_at = now
    alert.told = _told(metric, cases[-1], alert.rule)
    fresh = [
        {
            "subject": case.sample.subject,
            "name": metrics.name_of(case.sample.subject),
            "path": metrics.path_of(case.sample.subject),
            "value": metrics.in_words(metric, case.sample.value),
            "at": case.sample.at.isoformat(),
        }
        for case in cases[-SHOWN:]
    ]
    alert.cases = [*alert.cases, *fresh][-SHOWN:]


def _told(metric: Metric, case: Verdict, rule: Rule) -> str:
    """ "5 h 2 min, more than 4 h", the limit as it was when it was judged."""
    value, limit = metrics.in_words(metric, case.sample.value), case.limit
    if metric.unit == "flag":
        return metric.title
    if limit is None:
        return value
    side = "more" if rule.above else "less"
    usual = f" ({rule.threshold:g} × what is usual)" if rule.relative else ""
    going = "" if case.sample.final else ", and it still goes"
    return f"{value}, {side} than {metrics.in_words(metric, limit)}{usual}{going}"[:300]


def _moments(alert: Alert) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in alert.changes]


def _changed(alert: Alert, now: datetime) -> list[str]:
    return [*alert.changes, now.isoformat()][-20:]


def is_flapping(alert: Alert, now: datetime) -> bool:
    return judging.flapping(_moments(alert), now)


def recover(alert: Alert, now: datetime) -> None:
    """It is good again: the rule's own end of it. An alert that somebody else has moved just now stays as it is."""
    alert.changes = _changed(alert, now)
    lasted = round((now - alert.opened_at).total_seconds() / 60)
    try:
        move(
            alert,
            Alert.State.RESOLVED,
            among=Alert.LIVING,
            actor=None,
            detail={"after minutes": lasted, "cases": alert.count, "flapping": is_flapping(alert, now)},
            resolved_at=now,
            snoozed_until=None,
            changes=alert.changes,
        )
    except StateChangedError:
        return


def wake(now: datetime) -> int:
    """Open again what was snoozed until now and has not recovered; how many."""
    due = list(Alert.objects.filter(state=Alert.State.SNOOZED, snoozed_until__lte=now))
    for alert in due:
        detail = {"told": alert.told, "woke": True}
        among = [Alert.State.SNOOZED]
        with suppress(StateChangedError):  # somebody took it on, or it recovered, meanwhile
            move(alert, Alert.State.REOPENED, among=among, actor=None, detail=detail, snoozed_until=None)
    return len(due)


def acknowledge(alert: Alert, actor: User) -> None:
    """Take it on: it is the actor's. Raises PermissionDenied, StateChangedError."""
    rights.demand(actor, rights.HANDLE_ALERTS)
    among = [Alert.State.OPEN, Alert.State.REOPENED, Alert.State.SNOOZED]
    move(alert, Alert.State.ACKNOWLEDGED, among=among, actor=actor, owner=actor, snoozed_until=None)


def snooze(alert: Alert, actor: User, *, until: datetime, reason: str, now: datetime) -> None:
    """Silent until then; it comes back if it has not recovered. Raises PermissionDenied, NeedsWordsError,
    StateChangedError."""
    rights.demand(actor, rights.HANDLE_ALERTS)
    if not said(reason):
        raise NeedsWordsError("Say why it can wait: who follows it reads that. Nothing was snoozed.")
    if not now < until <= now + LONGEST_SNOOZE:
        raise NeedsWordsError("It can be snoozed for 30 days at most. Nothing was snoozed.")
    among = [Alert.State.OPEN, Alert.State.REOPENED, Alert.State.ACKNOWLEDGED, Alert.State.SNOOZED]
    detail = {"reason": reason, "until": until.isoformat()}
    move(alert, Alert.State.SNOOZED, among=among, actor=actor, detail=detail, snoozed_until=until, owner=actor)


def resolve(alert: Alert, actor: User, *, reason: str, now: datetime) -> None:
    """It is dealt with. Raises PermissionDenied, NeedsWordsError, StateChangedError."""
    rights.demand(actor, rights.HANDLE_ALERTS)
    if not said(reason):
        raise NeedsWordsError("Say what was done: who gets it next time reads that. Nothing was resolved.")
    with transaction.atomic():
        changes: dict[str, Any] = {"changes": _changed(alert, now), "resolved_at": now, "snoozed_until": None}
        detail = {"reason": reason, "cases": alert.count}
        move(alert, Alert.State.RESOLVED, among=Alert.LIVING, actor=actor, detail=detail, owner=actor, **changes)
        Level.objects.filter(rule=alert.rule, series=alert.series).update(muted=True)


def reopen(alert: Alert, actor: User, *, reason: str, now: datetime) -> None:
    """It was not dealt with. Raises PermissionDenied, NeedsWordsError, StateChangedError (there is a newer one)."""
    rights.demand(actor, rights.HANDLE_ALERTS)
    if not said(reason):
        raise NeedsWordsError("Say why it is opened again. Nothing was changed.")
    newer = Alert.objects.filter(rule=alert.rule, series=alert.series).exclude(state=Alert.State.RESOLVED)
    if newer.exists():
        raise StateChangedError("There is a newer alert about the same.")
    detail = {"reason": reason, "told": alert.told}
    among, changes = [Alert.State.RESOLVED], _changed(alert, now)
    move(alert, Alert.State.REOPENED, among=among, actor=actor, detail=detail, resolved_at=None, changes=changes)


def note(alert: Alert, actor: User, *, text: str) -> None:
    """Raises PermissionDenied, NeedsWordsError."""
    rights.demand(actor, rights.HANDLE_ALERTS)
    if not said(text):
        raise NeedsWordsError("The note is empty. Nothing was kept.")
    with transaction.atomic():
        Note.objects.create(alert=alert, author=actor, text=said(text)[:1000])
        record(actor, "alert note", alert, {"at": timezone.now().isoformat()})
