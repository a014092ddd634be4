"""How long a running job will take yet."""

from datetime import datetime

from jobs.models import Job


def seconds(job: Job, now: datetime) -> float | None:
    """By what has been read of the bytes, else by the plan's own estimate; None: unknown."""
    if job.state != Job.State.RUNNING or not job.started_at or job.plan.seconds is None:
        return None
    elapsed = (now - job.started_at).total_seconds()
    read, whole = job.progress.get("bytes", 0), job.progress.get("bytes_all", 0)
    expected = float((job.plan.preview or {}).get("estimate_low") or job.plan.seconds)
    if whole and read >= whole / 10:
        expected = max(elapsed * whole / read, expected)
    return expected - elapsed if expected > elapsed else None
