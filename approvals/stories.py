"""Which objects' events belong to the story of a load run or a job."""

from collections.abc import Collection
from uuid import UUID

from approvals.models import Emergency, Request
from jobs.models import Job, JobRun


def of_job(job: Job) -> list[str]:
    """The job, its parts, the requests for decisions on them, and what was let through."""
    return _subjects([job.pk, *job.children.values_list("pk", flat=True)])


def of_run(load_run_id: UUID) -> list[str]:
    """Every job that was ever about the run."""
    return _subjects(list(JobRun.objects.filter(load_run_id=load_run_id).values_list("job_id", flat=True)))


def _subjects(jobs: Collection[UUID]) -> list[str]:
    requests = Request.objects.filter(job__in=jobs).values_list("pk", flat=True)
    emergencies = Emergency.objects.filter(request__job__in=jobs).values_list("pk", flat=True)
    return [
        *(f"job:{pk}" for pk in jobs),
        *(f"request:{pk}" for pk in requests),
        *(f"emergency:{pk}" for pk in emergencies),
    ]
