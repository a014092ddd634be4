"""What the page of a rollout shows of its waves, and the buttons on it."""

from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from access import rights
from access.rights import Asked
from audit.transitions import StateChangedError
from jobs.models import Job
from reprocessing import effects, planning, rollout_acts, rollout_report
from reprocessing.models import Rollout, Wave
from reprocessing.rollout_acts import NeedsReasonError

BAR, THINNEST = 1000, 4  # units wide: the bar, and a wave of next to nothing


@dataclass
class Shown:
    """A wave as planned and as it stands. `x`, `width`: its part of the bar, by records."""

    number: int
    share: float
    files: int
    records: int
    state: str
    label: str
    x: str
    width: str
    job: Job | None = None
    checks: list[dict[str, Any]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def changed_tables(self) -> list[dict[str, Any]]:
        return [table for table in self.tables if effects.changes(table)]

    @property
    def unchanged_tables(self) -> list[dict[str, Any]]:
        return [table for table in self.tables if not effects.changes(table)]

    @property
    def changes(self) -> int:
        return sum(effects.changes(table) for table in self.tables)


def context(user: User, job: Job) -> dict[str, Any]:
    """The part of a job's page that only a rollout has; empty for every other job."""
    if job.kind != planning.ROLLOUT or not job.plan.preview:
        return {}
    rollout = Rollout.objects.filter(job=job).select_related("abort_by", "pause_by").first()
    shown = _waves(job, rollout)
    to_do = [wave for wave in shown if wave.state in Wave.TO_DO]
    published = [wave for wave in shown if wave.state in Wave.PUBLISHED]
    under_way = job.state in (Job.State.RUNNING, Job.State.PAUSED)
    return {
        "rollout": rollout,
        "waves": shown,
        "files": _with_wave(job),
        "larger_than_asked": bool(shown) and shown[0].share > job.plan.options["waves"][0],
        "to_do": to_do,
        "published": published,
        "to_do_records": sum(wave.records for wave in to_do),
        "needs_reason": bool(published) and published[-1].state == Wave.State.FAILED,
        "under_way": under_way,
        "may_promote": under_way and rights.may(user, rights.REPROCESS),
        "may_abort": under_way and not (rollout and rollout.abort_by_id) and rights.may(user, rights.CANCEL),
        "may_abort_and_roll_back": under_way and bool(published) and rights.may(user, rights.ROLL_BACK),
    }


def _with_wave(job: Job) -> list[dict[str, Any]]:
    """The included files, each with its wave, wave by wave."""
    wave_of = {file: wave["number"] for wave in (job.plan.preview or {}).get("waves", []) for file in wave["files"]}
    files = [{**item, "wave": wave_of.get(item["file"])} for item in job.plan.included]
    return sorted(files, key=lambda item: item["wave"] or 0)


def mark(job: Job) -> str:
    """Changes whenever the page must be shown anew as a whole: with the job's state, and after each wave."""
    if job.kind != planning.ROLLOUT:
        return job.state
    done = Wave.objects.filter(rollout__job=job).exclude(state__in=Wave.TO_DO).count()
    return f"{job.state} {done}"


def _waves(job: Job, rollout: Rollout | None) -> list[Shown]:
    known = {wave.number: wave for wave in rollout.waves.select_related("job__plan")} if rollout else {}
    planned = (job.plan.preview or {}).get("waves", [])
    whole, x, shown = sum(wave["records"] for wave in planned) or 1, 0.0, []
    for wave in planned:
        width = THINNEST + (BAR - THINNEST * len(planned)) * wave["records"] / whole
        found = known.get(wave["number"])
        state = rollout_report.state_of(job, found)
        shown.append(
            Shown(
                number=wave["number"],
                share=100 * wave["records_so_far"] / whole,
                files=len(wave["files"]),
                records=wave["records"],
                state=state,
                label=dict(Wave.State.choices).get(state, state.capitalize()),
                x=f"{x:.1f}",
                width=f"{width:.1f}",
                job=found.job if found else None,
                checks=found.checks if found else [],
                tables=sorted(effects.tables(found.job), key=itemgetter("name")) if found and found.job else [],
                samples=effects.samples(found.job.plan) if found and found.job else [],
            )
        )
        x += width
    return shown


def _job(job_id: UUID) -> Job:
    return get_object_or_404(Job, pk=job_id, kind=planning.ROLLOUT)


@require_POST
@rights.requires(rights.REPROCESS)
def promote(request: Asked, job_id: UUID) -> HttpResponseBase:
    """Go on with the next wave, or with all of them."""
    job, reason, seen = _job(job_id), request.POST.get("reason", "")[:500], request.POST.get("waiting")
    waiting = None if seen is None else int(seen) if seen.isdecimal() and len(seen) < 4 else -1
    act = rollout_acts.promote_all if request.POST.get("which") == "all" else rollout_acts.promote
    try:
        act(job, request.user, reason=reason, waiting=waiting)
        messages.success(request, "Promoted. A worker takes it up now.")
    except NeedsReasonError as error:
        messages.error(request, str(error))
    except StateChangedError:
        messages.warning(request, "Nothing was promoted: the rollout is not waiting any more, or has gone on since.")
    return redirect(job)


@require_POST
@rights.requires(rights.CANCEL)
def pause(request: Asked, job_id: UUID) -> HttpResponseBase:
    """Begin no further wave."""
    job = _job(job_id)
    try:
        rollout_acts.pause(job, request.user)
        messages.success(request, "The wave under way is finished; no further one is begun until somebody promotes it.")
    except StateChangedError:
        messages.warning(request, "Nothing was paused: the rollout is not running.")
    return redirect(job)


@require_POST
@rights.requires(rights.CANCEL)
def abort(request: Asked, job_id: UUID) -> HttpResponseBase:
    """Stop here; keep what is published, or plan its rollback."""
    job, roll_back = _job(job_id), request.POST.get("then") == "roll back"
    try:
        rollout_acts.abort(job, request.user, reason=request.POST.get("reason", "")[:500], roll_back=roll_back)
        messages.success(
            request,
            "It stops. The rollback of what it has published is planned next; somebody else must approve that."
            if roll_back
            else "It stops. What it has published stays.",
        )
    except NeedsReasonError as error:
        messages.error(request, str(error))
    except StateChangedError:
        messages.warning(request, "Nothing was aborted: the rollout is over, or stops already.")
    return redirect(job)
