"""A rollout as commands and the API tell it."""

from typing import Any

from jobs import report
from jobs.models import Job
from reprocessing.models import Rollout, Wave


def as_json(job: Job) -> dict[str, Any]:
    """The job with its waves; these as planned where it has not begun."""
    rollout = Rollout.objects.filter(job=job).first()
    waves = {wave.number: wave for wave in rollout.waves.all()} if rollout else {}
    return {
        **report.as_json(job),
        "why": rollout.why if rollout else "",
        "resume_at": rollout.resume_at.isoformat() if rollout and rollout.resume_at else None,
        "waves": [
            _wave(job, planned, waves.get(planned["number"])) for planned in (job.plan.preview or {}).get("waves", [])
        ],
    }


NOT_BEGUN = "not begun"


def state_of(job: Job, wave: Wave | None) -> str:
    """A wave's state; one that waits for nothing any more, as its rollout is over, has not begun."""
    state = wave.state if wave else Wave.State.WAITING.value
    return state if job.active or state != Wave.State.WAITING else NOT_BEGUN


def _wave(job: Job, planned: dict[str, Any], wave: Wave | None) -> dict[str, Any]:
    return {
        "number": planned["number"],
        "files": len(planned["files"]),
        "records": planned["records"],
        "state": state_of(job, wave),
        "job": str(wave.job_id) if wave and wave.job_id else None,
        "checks": wave.checks if wave else [],
    }


def lines(job: Job) -> list[str]:
    """The same in words."""
    told = as_json(job)
    said = [f"Rollout {job.pk}: {job.get_state_display().lower()}"]
    said += [f"  {told['why']}"] if told["why"] else []
    for wave in told["waves"]:
        said.append(f"  wave {wave['number']}: {wave['state']}, {wave['files']:,} files, {wave['records']:,} records")
        said += [f"    {check['name']}: {check['result']}. {check['told']}" for check in wave["checks"]]
    if job.error:
        said.append(f"  {job.error}")
    return said
