"""Who stands behind the jobs that had a hand in a row: who asked, who decided, and why."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from approvals.models import Decision
from jobs import kinds
from jobs.models import Job
from warehouse.lineage import Act


@dataclass(frozen=True)
class Decided:
    by: str
    verdict: str  # "Approved"
    at: datetime
    reason: str


@dataclass(frozen=True)
class Behind:
    """A job and its people. The console may not know it (`state` ""): then only what the warehouse noted is told.

    `of_whole`: the job whose approval covers this part of it. `asked_by`: a schedule or trigger, where it was one.
    """

    job: UUID
    title: str
    state: str
    reason: str
    requested_by: str
    asked_by: str
    at: datetime | None
    of_whole: UUID | None = None
    decided: list[Decided] = field(default_factory=list)


def of_jobs(jobs: Collection[UUID], acts: Iterable[Act] = ()) -> dict[UUID, Behind]:
    """Each of these jobs with its people, in the order given."""
    known = {job.pk: job for job in Job.objects.filter(pk__in=jobs).select_related("plan", "requested_by")}
    decisions = _decisions([*known, *(job.parent_id for job in known.values() if job.parent_id)])
    noted: dict[UUID, Act] = {}
    for act in acts:
        noted.setdefault(act.job_id, act)
    return {pk: _behind(known[pk], decisions) if pk in known else _unknown(pk, noted.get(pk)) for pk in jobs}


def _decisions(jobs: Collection[UUID]) -> dict[UUID, list[Decided]]:
    found: dict[UUID, list[Decided]] = {}
    for one in Decision.objects.filter(request__job__in=jobs).select_related("reviewer", "request").order_by("at"):
        said = Decided(one.reviewer.get_username(), one.get_verdict_display(), one.at, one.reason)
        found.setdefault(one.request.job_id, []).append(said)
    return found


def _behind(job: Job, decisions: dict[UUID, list[Decided]]) -> Behind:
    own = decisions.get(job.pk, [])
    return Behind(
        job.pk,
        kinds.of(job).title,
        job.state,
        job.plan.reason,
        job.requested_by.get_username(),
        job.plan.options.get("origin", {}).get("told", ""),
        job.finished_at or job.created_at,
        None if own else job.parent_id,
        own or decisions.get(job.parent_id, []) if job.parent_id else own,
    )


def _unknown(job: UUID, act: Act | None) -> Behind:
    if act is None:
        return Behind(job, "Job", "", "", "", "", None)
    return Behind(job, act.action.capitalize(), "", "", act.actor, "", act.at)
