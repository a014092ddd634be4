"""What the commands have in common that act on behalf of a person, and those that ask for a job."""

from django.core.management.base import CommandParser

from jobs import report, waiting
from jobs.models import Job
from warehouse.commands import Answer, Refusal, offer_json

GOOD_ENDS = (*Job.PUBLISHED, Job.State.PREVIEWED, Job.State.AWAITING, Job.State.PAUSED)


def offer_actor(parser: CommandParser) -> None:
    """--as and --json."""
    parser.add_argument("--as", dest="actor", help="the console's account to act as (named like yours)")
    offer_json(parser)


def offer_wait(parser: CommandParser) -> None:
    """--wait, --as and --json."""
    parser.add_argument("--wait", action="store_true", help="stay until the job is over or waits for a person")
    offer_actor(parser)


def tell(said: Answer, job: Job) -> None:
    """Answer with the job as it is now."""
    said.result = report.as_json(job)
    for line in report.lines(job):
        said.line(line)


def tell_asked(said: Answer, job: Job, *, wait: bool) -> None:
    """Answer with a job that was asked for, if `wait` once it needs no worker. Raises Refusal where it ended badly."""
    if wait:
        job = waiting.wait(job)
    tell(said, job)
    if wait and job.state not in GOOD_ENDS:
        raise Refusal(job.error or f"The job is {job.state}.")
