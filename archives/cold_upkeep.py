"""What the cold tier needs unasked: the longest unverified set is verified, orphans go after their grace."""

from datetime import datetime, timedelta

from django.conf import settings

from archives import cold_tier, cooling
from jobs import actors
from jobs.models import Job
from warehouse import cold_orphans, cold_verification
from warehouse.cold_orphans import Orphan
from warehouse.connections import connect

EVERY = timedelta(hours=1)
FRESH = timedelta(hours=24)  # what was verified, or was to be, within this time is left alone


def by_the_clock(now: datetime) -> None:
    verify_longest(settings.WAREHOUSE_URL, now)
    reap(settings.WAREHOUSE_URL, now)


def verify_longest(url: str, now: datetime) -> Job | None:
    """Ask for the verification of the set whose files nobody has verified for the longest time; one at a time."""
    asked = Job.objects.filter(kind=cooling.VERIFY)
    if asked.filter(state__in=Job.ACTIVE).exists():
        return None
    lately = asked.filter(created_at__gt=now - FRESH).values_list("plan__options__set", flat=True)
    with connect(url, purpose="verify archives") as connection:
        for part in cold_verification.cold_parts(connection):
            at = cold_verification.verified_at(part)
            if str(part.set_id) not in lately and (at is None or at <= now - FRESH):
                return cooling.submit_verify(part.set_id, part.load_run_id, actors.restage(), deep=False)
    return None


def reap(url: str, now: datetime) -> list[Orphan]:
    """Remove the files that no archive needs and whose grace is over."""
    with connect(url, purpose="reap orphans") as connection:
        return cold_orphans.reap(connection, cold_tier.tier(), now=now)
