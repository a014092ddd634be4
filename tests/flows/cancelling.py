"""Asks to cancel a job from another thread, as the web does while a worker is in a statement of the warehouse."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection as console

from jobs.models import Job
from tests.stack import eventually
from warehouse.connections import connect

SLEEPS = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


@contextmanager
def cancelling_once_it_sleeps(url: str, job: Job) -> Iterator[None]:
    """Ask for the cancel as soon as some statement is in pg_sleep()."""

    def ask() -> None:
        with connect(url, purpose="test") as warehouse:
            eventually(lambda: warehouse.execute(SLEEPS).fetchone() is not None)
        Job.objects.filter(pk=job.pk).update(cancel_asked=True)
        console.close()

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    thread.join()
