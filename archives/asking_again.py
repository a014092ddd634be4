"""A restore that would do something else than what was approved goes back to approval: as a new plan, in its words."""

from jobs import submission
from jobs.models import Job, Plan
from warehouse.restoring import CHANGED

MOST = 3  # times in a row; a staging table that changes all the time is for a person to look at


def where_changed(job: Job) -> None:
    """Inside the transaction in which a restore ends: plan it anew if staging had changed since its preview."""
    times = job.plan.options.get("times", 0)
    if job.state != Job.State.FAILED or CHANGED not in job.error or times >= MOST:
        return
    options = {
        **{name: value for name, value in job.plan.options.items() if name != "confirmed"},
        "times": times + 1,
        "again_of": str(job.pk),
        **submission.in_place_of(job),
    }
    included = [dict(item) for item in job.plan.included]
    plan = Plan(kind=job.kind, reason=job.plan.reason, options=options, included=included)
    submission.submit(plan, job.requested_by)
