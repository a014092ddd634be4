"""A job as commands and the API tell it."""

from typing import Any

from jobs import kinds
from jobs.models import Job

COUNTED = ("inserted", "updated", "deleted", "unchanged", "kept_newer", "rejected", "rewritten")


def as_json(job: Job) -> dict[str, Any]:
    plan, described = job.plan, kinds.of(job).describe is not None
    return {
        "job": str(job.pk),
        "kind": job.kind,
        "state": job.state,
        "load_runs": [str(run) for run in job.about],
        **(job.outcome or {} if described else {}),
        "new_load_runs": new_load_runs(job),
        "reason": plan.reason,
        "requested_by": job.requested_by.get_username(),
        "asked_by": plan.options.get("origin", {}).get("told"),
        "plan_digest": plan.digest or None,
        "dry_run": job.dry_run,
        "records": plan.records,
        "tables": job.tables
        if described
        else {table: {name: counts.get(name, 0) for name in COUNTED} for table, counts in job.tables.items()},
        "included": [{"key": item["key"], "extract": item["extract"]} for item in plan.included],
        "excluded": [{name: item[name] for name in ("key", "code", "reason")} for item in plan.excluded],
        "mode": plan.options.get("mode"),
        "declaration": plan.options.get("declaration"),
        "declarations": (plan.preview or {}).get("declarations", []),
        "dependants": (plan.preview or {}).get("dependants", []),
        "progress": job.progress or None,
        "error": job.error or None,
    }


def new_load_runs(job: Job) -> list[str]:
    """Those that it has made; of a job that is carried out in parts, what these have published so far."""
    parts = [job] if job.outcome else job.children.filter(state__in=Job.PUBLISHED).order_by("created_at")
    return [run for part in parts if part.outcome for run in part.outcome.get("load_runs", {}).values()]


def lines(job: Job) -> list[str]:
    """The same in words."""
    said = [f"Job {job.pk}: {job.get_state_display().lower()}"]
    if described := kinds.described(job):
        said += _described(described)
    else:
        for table, counts in job.tables.items():
            told = ", ".join(f"{counts.get(name, 0):,} {name.replace('_', ' ')}" for name in COUNTED)
            said.append(f"  stg.{table}: {told}")
    said += _around(job)
    said += [f"  left out: {item['key']}: {item['reason']}" for item in job.plan.excluded]
    if job.error:
        said.append(f"  {job.error}")
    return said


def _described(found: kinds.Described) -> list[str]:
    said = [f"  {found.what}", f"  {found.number:,} {found.counted}"]
    for name, values in found.rows:
        told = ", ".join(f"{head.lower()} {value}" for head, value in zip(found.columns, values, strict=True))
        said.append(f"  {name}: {told}")
    return said + [f"  {note}" for note in found.notes]


def _around(job: Job) -> list[str]:
    """Which declaration it is about, what sets the files' own apart, and which tables depend on what changes."""
    preview, chosen = job.plan.preview or {}, job.plan.options.get("declaration")
    said = [f"  with the {chosen} declaration"] if chosen == "original" else []
    for entry in preview.get("declarations", []):
        differing = "; ".join(entry["differences"]) or "with what is not known"
        said.append(f"  {entry['extract']}: {entry['files']:,} files were built with another declaration: {differing}")
    for entry in preview.get("dependants", []):
        how = "directly" if entry["direct"] else "indirectly"
        said.append(f"  stg.{entry['table']} ({entry['rows']:,} rows) depends on it {how}")
    return said
