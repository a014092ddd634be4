"""The check of a wave of a rollout: the files that it has published, judged at once."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from jobs.models import Job
from monitoring.verdicts import acting
from reprocessing.wave_checks import Check
from warehouse.on_use import OnUse

if TYPE_CHECKING:
    from monitoring.verdicts import judging
else:
    judging = OnUse("monitoring.verdicts.judging")


def of_wave(job: Job) -> Check | None:
    """None where the wave made no load run."""
    runs = [UUID(made) for made in (job.outcome or {}).get("load_runs", {}).values()]
    return acting.check(judging.judge_runs(settings.WAREHOUSE_URL, runs, timezone.now())) if runs else None
