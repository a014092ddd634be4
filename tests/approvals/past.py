"""Jobs of the past, as they stand in the console once they were judged."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from jobs.models import Job, Plan


def asked(by: User, at: datetime, records: int | None = 10, *, state: str = "succeeded", **more: Any) -> Job:
    """A job with its preview made. `more`: kind, seconds, tables, asks, options, and fields of the job."""
    kind, tables = more.pop("kind", "reprocess"), more.pop("tables", ["visits"])
    preview = {
        "tables": {table: {} for table in tables},
        "records": records,
        "estimate_seconds": more.pop("seconds", 1.0),
        "asks": more.pop("asks", []),
    }
    made = Plan(kind=kind, reason="r", options=more.pop("options", {}), preview=more.pop("preview", preview))
    made.save()
    job = Job.objects.create(plan=made, kind=kind, requested_by=by, state=state, **more)
    Job.objects.filter(pk=job.pk).update(created_at=at)
    job.refresh_from_db()
    return job
