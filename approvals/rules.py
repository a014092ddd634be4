"""When a plan needs a second person."""

from jobs import kinds
from jobs.models import Job, Plan

MOST_RECORDS = 100_000
MOST_SECONDS = 2 * 3600


def why(job: Job) -> list[str]:
    """The rules that ask for approval, in words; none when the job may go ahead. Unknown asks, equal does not.

    What a plan itself knows to be a reason stands in `asks`, of its options or of its preview.
    """
    kind, plan = kinds.of(job), job.plan
    found = [*plan.options.get("asks", ()), *(plan.preview or {}).get("asks", ())]
    if kind.asks_by_size:
        found += _size(plan)
    if plan.options.get("past_breaker"):
        found.append("It goes past the circuit breaker.")
    if kind.destructive:
        found.append(f"A {kind.title.lower()} takes published rows back.")
    return found


def _size(plan: Plan) -> list[str]:
    records, seconds, found = plan.records, plan.seconds, []
    if records is None:
        found.append("The number of records is unknown.")
    elif records > MOST_RECORDS:
        found.append(f"It reads {records:,} records, more than {MOST_RECORDS:,}.")
    if seconds is None:
        found.append("Its duration is unknown.")
    elif seconds > MOST_SECONDS:
        found.append(f"It may take {seconds / 3600:.1f} h, more than {MOST_SECONDS / 3600:g} h.")
    return found
