"""How reprocessing has gone, from the console's own rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import (
    Aggregate,
    Count,
    DateTimeField,
    F,
    FloatField,
    Func,
    JSONField,
    Max,
    Q,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.functions import Coalesce, Extract, Trunc
from django_q.models import OrmQ

from access import zones
from audit.models import Event
from jobs import kinds
from jobs.models import Job

REPROCESS = "reprocess"
SUCCEEDED = tuple(map(str, Job.PUBLISHED))
FAILED = (str(Job.State.FAILED), str(Job.State.QUARANTINED))


class Percentile(Aggregate):
    """The value of which a share of all is not greater."""

    function = "percentile_disc"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


class Hour(Func):
    """When the hour of the console began; one that comes twice is two. Trunc makes one of them: it goes by the wall
    clock."""

    function = "date_trunc"
    output_field = DateTimeField()

    def __init__(self, field: str) -> None:
        super().__init__(Value("hour"), field, Value(str(zones.console())))


class Names(Func):
    """A row for each name of an object in JSON; none where there is no object."""

    function = "jsonb_object_keys"
    output_field = TextField()
    set_returning = True


@dataclass(frozen=True)
class Ended:
    """Jobs that came to an end by themselves: cancelled and rejected ones are neither. Seconds from start to end."""

    succeeded: int
    failed: int
    median: float | None
    p95: float | None

    @property
    def success_rate(self) -> float | None:
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else None


@dataclass(frozen=True)
class Queue:
    """`waiting`: jobs that no worker has; `oldest`: for how long the first of them could have been begun. `lapsed`:
    jobs whose worker is silent. `rings`: messages in the queue."""

    waiting: int
    oldest: timedelta | None
    running: int
    lapsed: int
    rings: int


def ended(jobs: QuerySet[Job]) -> Ended:
    seconds = Extract(F("finished_at") - F("started_at"), "epoch", output_field=FloatField())
    real = Q(dry_run=False)
    timed = jobs.filter(real, state__in=SUCCEEDED, started_at__isnull=False, finished_at__isnull=False)
    counts = jobs.aggregate(
        succeeded=Count("pk", filter=real & Q(state__in=SUCCEEDED)),
        failed=Count("pk", filter=real & Q(state__in=FAILED)),
    )
    taken = timed.aggregate(median=Percentile(seconds, share=0.5), p95=Percentile(seconds, share=0.95))
    return Ended(**counts, **taken)


GOOD, BAD = Count("pk", filter=Q(state__in=SUCCEEDED)), Count("pk", filter=Q(state__in=FAILED))


def by_state(jobs: QuerySet[Job]) -> list[tuple[str, str, int]]:
    """(kind, state, how many)."""
    counted = jobs.order_by().values_list("kind", "state").annotate(n=Count("pk")).order_by("kind", "-n", "state")
    return [(kind, state, n) for kind, state, n in counted]


def by_reason(jobs: QuerySet[Job], *, most: int) -> list[tuple[str, int, int, int]]:
    """(reason, jobs, succeeded, failed), the most frequent first."""
    counted = (
        jobs.order_by()
        .values("plan__reason")
        .annotate(n=Count("pk"), good=GOOD, bad=BAD)
        .order_by("-n", "plan__reason")
    )
    return [(c["plan__reason"], c["n"], c["good"], c["bad"]) for c in counted[:most]]


def over_time(jobs: QuerySet[Job], grain: str) -> dict[float, tuple[int, int, int]]:
    """Timestamp of the day or hour of the console → jobs asked for then that succeeded, failed, did neither (yet)."""
    day = Trunc("created_at", grain, output_field=DateTimeField(), tzinfo=zones.console())
    counted = (
        jobs.order_by()
        .annotate(bucket=Hour("created_at") if grain == "hour" else day)
        .values("bucket")
        .annotate(n=Count("pk"), good=GOOD, bad=BAD)
    )
    return {c["bucket"].timestamp(): (c["good"], c["bad"], c["n"] - c["good"] - c["bad"]) for c in counted}


def by_table(jobs: QuerySet[Job]) -> list[tuple[str, int, int, int]]:
    """(table, jobs, succeeded, failed) of each table that they are about; a job may be about several."""
    counted = (
        jobs.order_by()
        .annotate(table=Names(Coalesce("outcome__tables", "plan__preview__tables", output_field=JSONField())))
        .values("table")
        .annotate(n=Count("pk"), good=GOOD, bad=BAD)
        .order_by("-n", "table")
    )
    return [(c["table"], c["n"], c["good"], c["bad"]) for c in counted]


def queue(now: datetime) -> Queue:
    """A job that waits for its change window, or a rollout for one of its waves, does not wait for a worker."""
    workable = Job.objects.filter(state__in=Job.WORKABLE)
    between_steps = Q(state=Job.State.RUNNING, kind__in=[kind.name for kind in kinds.known() if kind.steps])
    due = Q(not_before=None) | Q(not_before__lte=now)
    free = workable.filter(due, lease_until__isnull=True).exclude(between_steps)
    waiting = list(free.values_list("pk", "created_at", "not_before"))
    return Queue(
        waiting=len(waiting),
        oldest=now - _since(waiting) if waiting else None,
        running=workable.filter(lease_until__gte=now).count(),
        lapsed=workable.filter(lease_until__lt=now).count(),
        rings=OrmQ.objects.count(),
    )


def _since(waiting: Sequence[tuple[UUID, datetime, datetime | None]]) -> datetime:
    """Since when the first of these jobs could have been begun: put in the queue, or asked for and not previewed; and
    not before its window opened."""
    queued = Event.objects.filter(subject__in=[f"job:{pk}" for pk, *_ in waiting], action="job queued")
    last: dict[str, datetime] = dict(queued.order_by().values_list("subject").annotate(at=Max("at")))
    return min(max(last.get(f"job:{pk}", asked), opens or asked) for pk, asked, opens in waiting)
