"""A restore as commands and pages tell it, beside what they tell of every job."""

from typing import Any

from jobs.models import Job

CLASSES = ("absent", "identical", "changed", "older", "newer")


def as_json(job: Job) -> dict[str, Any]:
    """The set, the classes of each table, and what came of it."""
    outcome, preview = job.outcome or {}, job.plan.preview or {}
    return {
        "set": job.plan.options["set"],
        "into": job.plan.options["into"],
        "classes": {
            table: {name: counts.get(name, 0) for name in (*CLASSES, "pinned")} for table, counts in job.tables.items()
        },
        "told": preview.get("told", {}),
        "proven": outcome.get("proven"),
        "safety_set": outcome.get("safety_set"),
        "side": outcome.get("side", {}),
    }


def lines(job: Job) -> list[str]:
    said = []
    for table, counts in job.tables.items():
        told = ", ".join(f"{counts.get(name, 0):,} {name}" for name in (*CLASSES, "pinned"))
        said.append(f"  keys of stg.{table}: {told}")
    outcome = job.outcome or {}
    said += [f"  {made['name']} holds {made['rows']:,} rows" for made in outcome.get("side", {}).values()]
    if outcome.get("safety_set"):
        said.append(f"  what it replaced is kept in set {outcome['safety_set']}")
    return said
