"""What a job does to staging, as pages show it: counts by table, sample rows, causes of rejection."""

from collections.abc import Mapping
from typing import Any

from jobs.models import Job, Plan


def changes(counts: Mapping[str, Any]) -> int:
    """How many rows of a table of staging are added, changed or removed: none by a job that counts something else."""
    return sum(int(counts.get(name, 0)) for name in ("inserted", "updated", "deleted"))


def tables(job: Job) -> list[dict[str, Any]]:
    """The counts of each table, the most changed first: what was done, else what was previewed."""
    found = [{"name": f"stg.{table}", **counts} for table, counts in sorted(job.tables.items())]
    return sorted(found, key=changes, reverse=True)


def samples(plan: Plan) -> list[dict[str, Any]]:
    """Some changed rows of each table, masked."""
    found = (plan.preview or {}).get("samples", {})
    return [{"table": f"stg.{table}", "rows": rows} for table, rows in found.items() if rows]


def causes(plan: Plan) -> list[dict[str, Any]]:
    """The checks that records broke, by table."""
    found = (plan.preview or {}).get("causes", {})
    return [{"table": f"stg.{table}", **cause} for table, of_table in found.items() for cause in of_table]
