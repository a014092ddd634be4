"""What the rules can ask about a job, as far as it is known."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Q, QuerySet, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from access import persons, rights
from approvals.models import Request
from approvals.rule_answers import Facts
from jobs import kinds
from jobs.kinds import Kind
from jobs.models import Job, Plan
from warehouse import registry

# A job in one of these has no effect, unless its kind goes on step by step: then some steps may have had theirs.
WITHOUT_EFFECT = (Job.State.FAILED, Job.State.CANCELLED)
NEVER_LET_THROUGH = (Job.State.PREVIEWING, Job.State.PREVIEWED, Job.State.AWAITING, Job.State.REJECTED)


def of(job: Job, now: datetime, hours: Iterable[int]) -> Facts:
    """Facts about a previewed job; sums over these hours. Raises KeyError where nothing knows its kind."""
    kind, plan = kinds.of(job), job.plan
    tables = frozenset(plan.tables) if plan.preview else None
    own = plan.records
    return Facts(
        kind=kind.name,
        title=kind.title,
        measured=kind.asks_by_size,
        records=own,
        seconds=plan.seconds,
        tables=tables,
        extracts=None if tables is None else extracts_of(tables),
        roles=frozenset(rights.roles_of(job.requested_by)),
        environment=settings.ENVIRONMENT,
        destructive=is_destructive(kind, asks_of(plan)),
        reasons=reasons(kind, asks_of(plan), past_breaker=bool(plan.options.get("past_breaker"))),
        at=now,
        sums={each: None if own is None else _sum(job, own, each) for each in hours},
    )


def asks_of(plan: Plan) -> list[str]:
    """What a plan itself knows to be a reason, of its options or of its preview."""
    return [*plan.options.get("asks", ()), *(plan.preview or {}).get("asks", ())]


def is_destructive(kind: Kind, asks: Iterable[Any]) -> bool:
    return kind.destructive or bool(list(asks))


def reasons(kind: Kind, asks: Iterable[str], *, past_breaker: bool) -> tuple[str, ...]:
    """What no rule waives."""
    return (
        *asks,
        *(["It goes past the circuit breaker."] if past_breaker else ()),
        *([f"A {kind.title.lower()} takes published rows back."] if kind.destructive else ()),
    )


def extracts_of(tables: Iterable[str]) -> frozenset[str]:
    """The extracts that fill these tables of staging; a table that nothing declares has none."""
    known = {extract.table: extract.name for extract in registry.current().extracts}
    return frozenset(known[table] for table in tables if table in known)


def _sum(job: Job, own: int, hours: int) -> int | None:
    """Its records and those let through before without approval; None where one of these is not known.

    Those asked for after it count as long as it has not passed the gate itself: which of two was asked for first says
    nothing about which is let through first.
    """
    since, accounts = job.created_at - timedelta(hours=hours), persons.accounts_of(persons.person_of(job.requested_by))
    others = let_through().filter(requested_by__in=accounts, created_at__gt=since)
    if job.state != Job.State.PREVIEWING:
        others = others.filter(created_at__lte=job.created_at)
    read = others.exclude(pk=job.pk).annotate(
        read=Cast(KeyTextTransform("records", "plan__preview"), BigIntegerField())
    )
    if read.filter(read=None).exists():
        return None
    return own + (read.aggregate(total=Sum("read"))["total"] or 0)


def let_through() -> QuerySet[Job]:
    """The measured jobs that have or may have an effect and that nobody was asked about."""
    measured = [kind.name for kind in kinds.known() if kind.asks_by_size]
    stepwise = [kind.name for kind in kinds.known() if kind.steps]
    passed = Job.objects.filter(kind__in=measured, dry_run=False, parent=None).exclude(state__in=NEVER_LET_THROUGH)
    passed = passed.exclude(Q(state__in=WITHOUT_EFFECT) & ~(Q(kind__in=stepwise) & Q(started_at__isnull=False)))
    never_previewed = Q(state=Job.State.QUARANTINED, plan__preview__isnull=True)  # so nothing let it through
    return passed.exclude(never_previewed).exclude(pk__in=Request.objects.values("job"))
