"""The queue carries a job id and nothing else; ten rings or none, the job's own row says what is to be done."""

from functools import partial
from uuid import UUID

from django.db import transaction
from django_q.tasks import async_task


def ring(job_id: UUID) -> None:
    """Have a worker look at the job (jobs.work.answer), once this transaction is committed."""
    transaction.on_commit(partial(async_task, "jobs.work.answer", str(job_id), save=False))
