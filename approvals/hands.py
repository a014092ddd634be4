"""Who had a hand in asking for a job: none of these people decides on it, whichever account they use."""

from django.contrib.auth.models import User

from access import persons
from jobs.models import Job


def persons_of(job: Job) -> set[int]:
    """The persons behind the accounts that asked for it, wrote what asked, or asked for what it replaces."""
    return set(persons.of(job.asked_by).values())


def has(user: User, job: Job) -> bool:
    return persons.person_of(user) in persons_of(job)
