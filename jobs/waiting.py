"""Waits for a job on behalf of a command, and works on it itself where no worker does."""

import time
from collections.abc import Callable

from jobs import work
from jobs.models import Job

PATIENCE_SECONDS = 2.0
POLL_SECONDS = 0.2


def wait(job: Job, told: Callable[[Job], None] = lambda job: None) -> Job:
    """Return once the job needs no worker any more: it is over, or waits for a person.

    A job that no worker takes within two seconds is worked on here; the claim sees to it that only one does.
    """
    idle_since = time.monotonic()
    while True:
        job = Job.objects.select_related("plan", "requested_by").get(pk=job.pk)
        if job.state not in Job.WORKABLE:
            return job
        if job.lease_until is not None:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since > PATIENCE_SECONDS:
            for child in job.children.filter(state__in=Job.WORKABLE):
                work.run(child.pk)
            work.run(job.pk)
        told(job)
        time.sleep(POLL_SECONDS)
