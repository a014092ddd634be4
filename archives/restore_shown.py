"""What the page of a restore shows beside what it shows of every job."""

from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth.models import User

from access import rights
from archives import restore_report, restore_requests
from jobs.models import Job
from warehouse.errors import TellableError
from warehouse.restoring import RESTORE
from warehouse.unpinning import UNPIN

KINDS = (RESTORE, UNPIN)


def context(user: User, job: Job) -> dict[str, Any]:
    """`restored`: of a job of these kinds; nothing of another."""
    if job.kind == UNPIN:
        return {"restored": {"of": job.plan.options["restore"], "pins": (job.plan.preview or {}).get("pins", {})}}
    if job.kind != RESTORE:
        return {}
    may, pinned = rights.may(user, rights.RESTORE), _pinned(job)
    told = (job.plan.preview or {}).get("told", {})
    written = sum(counts.get("inserted", 0) + counts.get("updated", 0) for counts in job.tables.values())
    return {
        "restored": {
            "set": job.plan.options["set"],
            "side": _side(job),
            "rows": [_row(table, counts) for table, counts in sorted(job.tables.items())],
            "told": [{"table": table, "lines": lines} for table, lines in sorted(told.items()) if lines],
            "pinned": sum(pinned.values()),
            "may_unpin": may and bool(pinned),
            "may_confirm": may and job.state == Job.State.PREVIEWED,
            "written": written,
            "replaced": sum(counts.get("updated", 0) for counts in job.tables.values()),
            "safety_set": (job.outcome or {}).get("safety_set"),
        }
    }


def _row(table: str, counts: dict[str, Any]) -> dict[str, Any]:
    return {"table": table, **{name: counts.get(name, 0) for name in (*restore_report.CLASSES, "pinned")}}


def _side(job: Job) -> list[dict[str, Any]]:
    """The tables beside staging, with the day on which they go."""
    made = (job.outcome or {}).get("side", {})
    return [{**entry, "until": datetime.fromisoformat(entry["expires_at"])} for _table, entry in sorted(made.items())]


def _pinned(job: Job) -> dict[str, int]:
    """None also where the warehouse does not answer: the page then says what the console knows."""
    try:
        return restore_requests.pinned(settings.WAREHOUSE_URL, job)
    except (TellableError, psycopg.Error):
        return {}
