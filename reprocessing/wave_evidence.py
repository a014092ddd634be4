"""What the checks after a wave look at: its outcome, the attempts it replaced, the whole preview, the breakers."""

from typing import Any

import psycopg

from jobs.models import Job
from reprocessing import wave_checks
from reprocessing.models import Breaker
from reprocessing.wave_checks import Check, Part
from warehouse import history, registry


def of(connection: psycopg.Connection, whole: Job, wave_job: Job) -> list[Check]:
    """The checks of a wave's job that has published."""
    extracts = sorted({item["extract"] for item in wave_job.plan.included})
    parts = [_part(connection, whole, wave_job, extract) for extract in extracts]
    tripped = Breaker.objects.filter(extract__in=extracts).exclude(state=Breaker.State.CLOSED)
    breakers = {found.extract: found.state for found in tripped}
    return [*wave_checks.check(parts, breakers), *wave_checks.verdicts(wave_job)]


def _part(connection: psycopg.Connection, whole: Job, wave_job: Job, extract: str) -> Part:
    table = registry.current()[extract].table
    counts = (wave_job.outcome or {})["tables"].get(table, {})
    files = [item["file"] for item in wave_job.plan.included if item["extract"] == extract]
    before_read, before_rejected = history.judged_before(connection, files)
    malformed = (wave_job.plan.preview or {}).get("malformed_by", {}).get(extract, 0)
    touched, changed = _touched(counts)
    whole_touched, whole_changed = _touched(whole.plan.tables.get(table, {}))
    return Part(
        extract=extract,
        read=counts.get("records", 0) + malformed,
        rejected=counts.get("rejected", 0) + malformed,
        before_read=before_read,
        before_rejected=before_rejected,
        touched=touched,
        changed=changed,
        whole_touched=whole_touched,
        whole_changed=whole_changed,
    )


def _touched(counts: dict[str, Any]) -> tuple[int, int]:
    changed = sum(counts.get(name, 0) for name in ("inserted", "updated", "deleted"))
    return changed + counts.get("unchanged", 0) + counts.get("kept_newer", 0), changed
