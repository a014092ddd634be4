"""What the cold tier needs unasked: the longest unverified part is verified, orphans go after their grace."""

import logging
from datetime import datetime, timedelta

import psycopg
from django.conf import settings

from archives import cold_tier, cooling
from warehouse import cold_orphans, cold_verification
from warehouse.cold_orphans import Orphan
from warehouse.cold_verifying import Verdict
from warehouse.connections import connect
from warehouse.errors import TellableError

EVERY = timedelta(hours=1)
FRESH = timedelta(hours=24)  # what was verified within this time is left alone
MOST_BYTES = 4_000_000_000  # a round reads so much and then no further part
log = logging.getLogger(__name__)


class Upkeep:
    """The reconciler's call, once an hour; where warehouse or store are away, the next hour tries again."""

    def __init__(self) -> None:
        self._next: datetime | None = None

    def __call__(self, now: datetime) -> None:
        if self._next and now < self._next:
            return
        self._next = now + EVERY
        try:
            verify_longest(settings.WAREHOUSE_URL, now)
            reap(settings.WAREHOUSE_URL, now)
        except (TellableError, psycopg.Error) as error:
            log.warning("The upkeep of the cold tier could not be done: %s", type(error).__name__)


def verify_longest(url: str, now: datetime) -> list[Verdict]:
    """Verify those that nobody has for the longest time, as far as an hour's share goes; what is damaged is logged."""
    found, read = [], 0
    with connect(url, purpose="verify archives") as connection:
        for part in cold_verification.cold_parts(connection):
            at = cold_verification.verified_at(part)
            if read >= MOST_BYTES or (at is not None and at > now - FRESH):
                break
            verdict = cold_verification.verify(connection, cold_tier.tier(), part)
            cooling.told(None, part.set_id, {part.table_name: verdict.as_json()}, deep=False)
            if not verdict.holds:
                log.error("The cold archive of set %s, stg.%s, is damaged.", part.set_id, part.table_name)
            found.append(verdict)
            read += verdict.bytes
    return found


def reap(url: str, now: datetime) -> list[Orphan]:
    """Remove the files that no archive needs and whose grace is over."""
    with connect(url, purpose="reap orphans") as connection:
        return cold_orphans.reap(connection, cold_tier.tier(), now=now)
