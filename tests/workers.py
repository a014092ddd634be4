"""What workers do, done by the test itself."""

from approvals import gate
from jobs import work
from jobs.models import Job


def worked(job: Job | None, times: int = 1):
    """Let a worker look at the job so many times, and give it anew."""
    assert job
    for _time in range(times):
        work.run(job.pk)
    return Job.objects.select_related("plan").get(pk=job.pk)


def finished(job: Job | None):
    """Let a worker preview the job and carry it out."""
    return worked(job, times=2)


def approved(job: Job | None, people):
    """Let a worker preview the job, the reviewer approve exactly that, and a worker carry it out."""
    job = worked(job)
    assert job.state == "awaiting approval"
    gate.decide(job.approval, people["reviewer"], approve=True, digest=job.plan.digest, reason="")
    return worked(job)


def driven(job: Job):
    """Let workers do what there is to do for a rollout and its waves, until it waits or is over."""
    for _round in range(40):
        for found in [job, *job.children.filter(state__in=Job.WORKABLE)]:
            work.run(found.pk)
        job = Job.objects.select_related("plan", "rollout").get(pk=job.pk)
        if job.state not in Job.WORKABLE:
            return job
    raise AssertionError("It never came to an end.")
