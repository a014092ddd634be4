"""When a job came to the rules and they let it go, as the trail has it."""

from datetime import datetime

from audit.models import Event
from jobs.models import Job

MOMENT = "at"  # in the detail of the event that queues it
LET_GO = f"job {Job.State.QUEUED}"


def moment(job: Job) -> datetime | None:
    """None where the rules have not let it go by themselves. Nothing that the warehouse tells counts."""
    found = Event.objects.filter(
        subject=f"job:{job.pk}", action=LET_GO, detail__from=Job.State.PREVIEWING, effect=None
    ).last()
    if found is None:
        return None
    return datetime.fromisoformat(found.detail[MOMENT]) if MOMENT in found.detail else found.at
