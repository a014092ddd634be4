"""A job as commands and the API tell it."""

from typing import Any

from jobs.models import Job

COUNTED = ("inserted", "updated", "deleted", "unchanged", "kept_newer", "rejected")


def as_json(job: Job) -> dict[str, Any]:
    plan = job.plan
    return {
        "job": str(job.pk),
        "kind": job.kind,
        "state": job.state,
        "load_runs": [str(run) for run in plan.load_runs],
        "new_load_runs": list(job.outcome.get("load_runs", {}).values()) if job.outcome else [],
        "reason": plan.reason,
        "requested_by": job.requested_by.get_username(),
        "asked_by": plan.options.get("origin", {}).get("told"),
        "plan_digest": plan.digest or None,
        "dry_run": job.dry_run,
        "records": plan.records,
        "tables": {table: {name: counts[name] for name in COUNTED} for table, counts in job.tables.items()},
        "included": [{"key": item["key"], "extract": item["extract"]} for item in plan.included],
        "excluded": [{name: item[name] for name in ("key", "code", "reason")} for item in plan.excluded],
        "progress": job.progress or None,
        "error": job.error or None,
    }


def lines(job: Job) -> list[str]:
    """The same in words."""
    said = [f"Job {job.pk}: {job.get_state_display().lower()}"]
    for table, counts in job.tables.items():
        told = ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in COUNTED)
        said.append(f"  stg.{table}: {told}")
    said += [f"  left out: {item['key']}: {item['reason']}" for item in job.plan.excluded]
    if job.error:
        said.append(f"  {job.error}")
    return said
