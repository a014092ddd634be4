"""Looks at every rule by the clock: what is measured first, then in one transaction what follows of it.

Two workers do no harm: who looks locks the heartbeat, the other one leaves it at that. A case is found once (it is a
row), so whoever dies here has it told by the next look, and nobody has it told twice.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from django.conf import settings
from django.db import DatabaseError, transaction

from monitoring.alerts import judging, lifecycle, metrics
from monitoring.alerts.downtimes import Silence
from monitoring.alerts.judging import Sample, Verdict
from monitoring.alerts.metrics import BACK, BY_NAME, Look, Metric
from monitoring.alerts.models import Alert, Finding, Heartbeat, Level, Rule
from warehouse.connections import connect
from warehouse.errors import TellableError, reason_of
from warehouse.run_figures import RunFigure

log = logging.getLogger(__name__)
EVERY = timedelta(seconds=30)
RECENT = timedelta(days=3)  # what ended before is not judged anew
SELDOM = 5  # minutes between looks of a rule that needs the history of 90 days
KEPT = 50  # looks at a level


@dataclass(frozen=True)
class Measured:
    """What a rule's metric says now; `error`: why nothing."""

    rule: Rule
    metric: Metric
    samples: Sequence[Sample] = ()
    error: str = ""


def by_the_clock(now: datetime) -> None:
    """A look at all rules. Raises TellableError, psycopg.Error where the warehouse does not answer, noted as well."""
    active = [rule for rule in Rule.objects.filter(state=Rule.State.ACTIVE) if rule.metric in BY_NAME]
    rules = [rule for rule in active if not _needs_history(rule) or now.minute % SELDOM == 0]
    try:
        with connect(settings.WAREHOUSE_URL, purpose="alerts") as connection:
            measured = measure_all(connection, rules, now)
    except (TellableError, psycopg.Error) as error:
        Heartbeat.objects.filter(pk=1).update(problem=reason_of(error)[:300])
        raise
    apply(measured, now)


def _needs_history(rule: Rule) -> bool:
    """Whether it judges a value by those before it, and must ask for them: of a level the looks themselves are kept."""
    return BY_NAME[rule.metric].facts and (rule.relative or rule.y > 1 or rule.recover > 1)


def measure_all(connection: psycopg.Connection, rules: Sequence[Rule], now: datetime) -> list[Measured]:
    known: dict[datetime, list[RunFigure]] = {}
    return [_measure(connection, rule, now, known) for rule in rules]


def _measure(
    connection: psycopg.Connection, rule: Rule, now: datetime, known: dict[datetime, list[RunFigure]]
) -> Measured:
    """Ask for what the rule needs: a few days, or all that is known where it judges by what was before."""
    metric = BY_NAME[rule.metric]
    since = now - (BACK if _needs_history(rule) else RECENT)
    split = bool(rule.extract) or rule.relative or rule.y > 1
    look = Look(connection, now, since, extract=rule.extract, split=split, known=known)
    try:
        return Measured(rule, metric, metric.samples(look))
    except (psycopg.OperationalError, DatabaseError):
        raise
    except Exception as error:  # of one metric: it is said on the page, and the other rules go on
        log.warning("A rule could not be looked at: %s", type(error).__name__)
        return Measured(rule, metric, error=reason_of(error))


def apply(measured: Sequence[Measured], now: datetime) -> bool:
    """Open, feed, resolve and wake alerts; whether it was done, and not by somebody else just now."""
    Heartbeat.objects.get_or_create(pk=1)
    with transaction.atomic():
        beat = Heartbeat.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if beat is None:
            return False
        lifecycle.wake(now)
        silence = Silence.at(now)
        for one in measured:
            _judge(one, now, silence)
        beat.at, beat.problem = now, "; ".join(f"{m.rule}: {m.error}" for m in measured if m.error)[:300]
        beat.save()
    return True


def _judge(one: Measured, now: datetime, silence: Silence) -> None:
    found = metrics.series_of(one.samples)
    for series, samples in found.items():
        if one.metric.facts:
            _facts(one, series, samples, now, silence)
        else:
            _level(one, series, samples[-1], now, silence)
    if not one.metric.facts and not one.error:  # what is not there any more is not bad any more
        for alert in one.rule.alerts.filter(state__in=Alert.LIVING).exclude(series__in=found):
            lifecycle.recover(alert, now)


def _facts(one: Measured, series: str, samples: Sequence[Sample], now: datetime, silence: Silence) -> None:
    """Cases of the rule in one series that are not known yet; and whether the series has recovered since."""
    rule = one.rule
    judged = judging.verdicts(samples, rule.limit)
    bad = [v for v in judging.alerting(judged, rule.limit) if v.sample.at >= rule.active_from]
    subjects = [verdict.sample.subject for verdict in bad]
    known = set(Finding.objects.filter(rule=rule, subject__in=subjects).values_list("subject", flat=True))
    new = [verdict for verdict in bad if verdict.sample.subject not in known]
    if new:
        alert = None if silence.of(rule.extract or series) else lifecycle.found(one.rule, one.metric, series, new, now)
        _keep(rule, series, new, alert)
        return
    flags = [bool(verdict.bad) for verdict in judged if verdict.bad is not None]
    if judging.recovered(flags, rule.limit.recover):
        for alert in Alert.objects.filter(rule=rule, series=series, state__in=Alert.LIVING):
            lifecycle.recover(alert, now)


def _keep(rule: Rule, series: str, new: Sequence[Verdict], alert: Alert | None) -> None:
    Finding.objects.bulk_create(
        (
            Finding(
                rule=rule, subject=v.sample.subject, series=series, at=v.sample.at, value=v.sample.value, alert=alert
            )
            for v in new
        ),
        ignore_conflicts=True,
        batch_size=1000,
    )


def _level(one: Measured, series: str, sample: Sample, now: datetime, silence: Silence) -> None:
    """A value that is there all the time: alerts by x of the last y looks."""
    rule, limit = one.rule, one.rule.limit
    (verdict,) = judging.verdicts([sample], limit)
    level, _new = Level.objects.get_or_create(rule=rule, series=series)
    level.recent = [*level.recent, bool(verdict.bad)][-max(KEPT, limit.y, limit.recover) :]
    level.muted = level.muted and bool(verdict.bad)
    level.save(update_fields=["recent", "muted"])
    living = Alert.objects.filter(rule=rule, series=series, state__in=Alert.LIVING).first()
    quiet = level.muted or silence.of(rule.extract or series)
    if living is None and judging.fires(level.recent, limit) and not quiet:
        lifecycle.found(rule, one.metric, series, [verdict], now)
    elif living is not None and judging.recovered(level.recent, limit.recover):
        lifecycle.recover(living, now)
