"""What Restage itself offers to the list of what needs a person now, from the console's own rows."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.urls import reverse

from access import days
from approvals import gate
from archives import drills
from jobs.models import Job
from monitoring.alerts.models import Alert
from monitoring.needs import ATTENTION, BAD, Need
from monitoring.verdicts.models import QualityVerdict
from reprocessing.models import Breaker
from warehouse.amounts import word

LOOKED_BACK = timedelta(days=7)  # a job that failed longer ago needs nobody now


def approvals(user: User, now: datetime) -> Iterable[Need]:
    """Those that wait for this person; who may not decide is told of nothing."""
    waiting = len(gate.pending(user))
    yield Need(
        waiting,
        f"{word(waiting, 'job waits', 'jobs wait')} for your decision",
        f"{reverse('approvals')}?show=mine",
        ATTENTION,
    )


def jobs(user: User, now: datetime) -> Iterable[Need]:
    """Of the last days: quarantined and failed jobs; paused ones of all time."""
    since = days.of(now - LOOKED_BACK)
    lately = days.between("created_at", since, None)
    found = Job.objects.aggregate(
        quarantined=Count("pk", filter=Q(state=Job.State.QUARANTINED) & lately),
        failed=Count("pk", filter=Q(state=Job.State.FAILED) & lately),
        paused=Count("pk", filter=Q(state=Job.State.PAUSED)),
    )
    lately_told = f"in the last {LOOKED_BACK.days} days"
    n = found["quarantined"]
    yield Need(n, f"{word(n, 'job')} quarantined {lately_told}", _jobs(state="quarantined", since=since.isoformat()))
    n = found["failed"]
    yield Need(n, f"{word(n, 'job')} failed {lately_told}", _jobs(state="failed", since=since.isoformat()))
    n = found["paused"]
    yield Need(n, f"{word(n, 'job is', 'jobs are')} paused and wait for a person", _jobs(state="paused"), ATTENTION)


def breakers(user: User, now: datetime) -> Iterable[Need]:
    open_ones = Breaker.objects.filter(state=Breaker.State.OPEN).count()
    told = f"{word(open_ones, 'circuit breaker is', 'circuit breakers are')} open: its extract is not reprocessed"
    yield Need(
        open_ones, told.replace("its extract is", "their extracts are") if open_ones > 1 else told, reverse("breakers")
    )


def alerts(user: User, now: datetime) -> Iterable[Need]:
    living = Alert.objects.filter(state__in=Alert.LIVING).count()
    yield Need(living, f"{word(living, 'alert is', 'alerts are')} not resolved", reverse("alerts"))


def verdicts(user: User, now: datetime) -> Iterable[Need]:
    """Unusual or wrong files that nobody has answered for."""
    waiting = QualityVerdict.objects.waiting().count()
    told = f"{word(waiting, 'file looks', 'files look')} unusual or wrong, and nobody has said what it is"
    yield Need(waiting, told, reverse("quality"), ATTENTION)


def last_drill(user: User, now: datetime) -> Iterable[Need]:
    """The newest drill, where it did not give back what it must."""
    newest = Job.objects.filter(kind=drills.NAME).exclude(state__in=Job.ACTIVE).order_by("-created_at").first()
    if newest and newest.state in (Job.State.FAILED, Job.State.QUARANTINED):
        yield Need(1, "recovery drill failed, the newest one", newest.get_absolute_url(), BAD)


def _jobs(**filters: str) -> str:
    return f"{reverse('jobs')}?{urlencode(filters)}"


KNOWN = (approvals, jobs, breakers, alerts, verdicts, last_drill)
