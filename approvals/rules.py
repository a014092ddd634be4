"""When a plan needs a second person."""

from jobs import kinds
from jobs.models import Job

MOST_RECORDS = 100_000
MOST_SECONDS = 2 * 3600


def why(job: Job) -> list[str]:
    """The rules that ask for approval, in words; none when the job may go ahead. Unknown asks, equal does not."""
    records, seconds, found = job.plan.records, job.plan.seconds, []
    if records is None:
        found.append("The number of records is unknown.")
    elif records > MOST_RECORDS:
        found.append(f"It reads {records:,} records, more than {MOST_RECORDS:,}.")
    if seconds is None:
        found.append("Its duration is unknown.")
    elif seconds > MOST_SECONDS:
        found.append(f"It may take {seconds / 3600:.1f} h, more than {MOST_SECONDS / 3600:g} h.")
    if job.plan.options.get("past_breaker"):
        found.append("It goes past the circuit breaker.")
    found += [*job.plan.options.get("asks", ()), *(job.plan.preview or {}).get("asks", ())]
    if kinds.of(job).destructive:
        found.append(f"A {kinds.of(job).title.lower()} takes published rows back.")
    return found
