"""The kind of job that publishes its selection in waves, each a job of its own, with checks between them.

Its preview is the dry run of the whole selection and names the files of each wave, so what is approved is the whole.
Carried out it goes on in steps: a worker makes the next wave, or judges one that is over, and lets go of it again. All
of its state is in rows, each step is one transaction, and a step that finds nothing to do changes nothing: it can be
asked for at any time and any number of times, and a death in between loses nothing.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from audit.transitions import StateChangedError, move
from jobs import doorbell, submission
from jobs.ending import end
from jobs.kinds import Preview, Run
from jobs.models import Job, Plan
from jobs.submission import AlreadyActiveError, NotPermittedError
from reprocessing import rollback_requests, wave_checks, wave_evidence, waves
from reprocessing.models import Rollout, Wave
from reprocessing.planning import REPROCESS
from reprocessing.waves import UNTIL_PROMOTED, Rules
from warehouse import attempts, code, history, registry
from warehouse.amounts import things
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint

RESULTS = {
    wave_checks.PASS: Wave.State.PASSED,
    wave_checks.FAIL: Wave.State.FAILED,
    wave_checks.INCONCLUSIVE: Wave.State.INCONCLUSIVE,
}
ESTIMATE = 2.5  # each wave has a preview of its own, and its run does the same and writes
ESTIMATE_BASIS = "two and a half times the preview, pauses not counted"


class WaveError(TellableError):
    """The next wave cannot be made as it was approved; the message says why. Nothing of it was published."""


def with_waves(plan: Plan, whole: Preview) -> Preview:
    """The dry run of the whole selection, with the files of each wave and by what their rows are made."""
    split = waves.split(whole.included, Rules.from_json(plan.options))
    extracts = sorted({item["extract"] for item in whole.included})
    made_by = {name: code.making(registry.current()[name]) for name in extracts}
    seconds = whole.preview["preview_seconds"] * ESTIMATE
    expected = {"estimate_low": seconds, "estimate_seconds": seconds, "estimate_basis": ESTIMATE_BASIS}
    preview = {**whole.preview, "waves": split, "made_by": made_by, **expected}
    return Preview(whole.included, whole.excluded, preview, whole.refused)


def begin(job: Job) -> Rollout:
    """The rollout of a job with its waves; made at the first call."""
    with transaction.atomic():
        rollout, made = Rollout.objects.get_or_create(job=job)
        if made:
            planned = (job.plan.preview or {})["waves"]
            Wave.objects.bulk_create(Wave(rollout=rollout, number=wave["number"]) for wave in planned)
    return rollout


def step(run: Run) -> dict[str, Any] | None:
    """Go on as far as is possible now; the outcome once the last wave is judged, else None."""
    job, rollout = run.job, begin(run.job)
    while job.state == Job.State.RUNNING:
        wave = rollout.waves.filter(state__in=Wave.TO_DO).select_related("job__plan").first()
        if wave is not None and wave.state == Wave.State.RUNNING:
            of_wave = _job_of(wave)
            if _goes_on(of_wave, rollout):
                return None
            _judge(run, rollout, wave, of_wave)
        elif rollout.abort_by is not None:
            _abort(run, rollout, rollout.abort_by)
        elif wave is None:
            return outcome(rollout)
        else:
            _next(run, rollout, wave)
            return None
        rollout.refresh_from_db()
    return None


def _job_of(wave: Wave) -> Job:
    if wave.job is None:
        raise WaveError(f"The job of wave {wave.number} is gone: what it has published is not known.")
    return wave.job


def _published(wave: Wave) -> dict[str, Any]:
    found: dict[str, Any] | None = _job_of(wave).outcome
    if found is None:
        raise WaveError(f"Wave {wave.number} has published, and its job does not say what.")
    return found


def _goes_on(of_wave: Job, rollout: Rollout) -> bool:
    """Whether the job of a running wave is under way; of a rollout that is to stop it is asked to stop too."""
    if of_wave.active and rollout.abort_by is not None and not of_wave.cancel_asked:
        with suppress(StateChangedError):
            submission.cancel(of_wave, rollout.abort_by)
    of_wave.refresh_from_db()
    return of_wave.active


def _next(run: Run, rollout: Rollout, wave: Wave) -> None:
    """Make the wave's job, or pause where a person has asked for that or something is not as it was approved."""
    try:
        submission.check_permit(run.job)
        plan = _plan(run.connection, run.job, wave)
    except (WaveError, NotPermittedError) as error:
        _pause(run, f"Wave {wave.number} was not begun. {error}")
        return
    with transaction.atomic():
        locked = Rollout.objects.select_for_update().get(pk=rollout.pk)
        if locked.abort_by is not None:
            return
        if locked.pause_by is not None:
            _pause(run, f"{locked.pause_by.get_username()} asked for it. Wave {wave.number} is not begun.")
            return
        if not Job.objects.select_for_update().filter(pk=run.job.pk, state="running", epoch=run.epoch).exists():
            raise StateChangedError("This rollout is not this worker's any more.")
        child = submission.submit(plan, run.job.requested_by, parent=run.job)
        among = [Wave.State.WAITING, Wave.State.STOPPED]
        move(wave, Wave.State.RUNNING, among=among, actor=None, detail={"job": str(child.pk)}, job=child)
        failpoint("wave beginning")
    failpoint("wave begun")


def _plan(connection: psycopg.Connection, job: Job, wave: Wave) -> Plan:
    """The wave's own plan: its files as the whole plan has them. Raises WaveError."""
    refuse_other_making(job)
    preview = job.plan.preview or {}
    (planned,) = (found for found in preview["waves"] if found["number"] == wave.number)
    found = {a.load_run_file_id: a for a in attempts.of_ids(connection, planned["files"])}
    made_by_us = history.made_by(connection, {a.superseded_in for a in found.values() if a.superseded_in})
    ours = set(job.children.values_list("pk", flat=True))
    included = []
    for item in job.plan.included:
        attempt = found.get(item["file"])
        if attempt is None:
            continue
        if attempt.superseded_in is None:
            included.append(item)
        elif made_by_us.get(attempt.superseded_in) not in ours:
            raise WaveError(f"Load run {attempt.superseded_in} has replaced file {item['file']} meanwhile.")
    if not included:
        raise WaveError("None of its files is left to be published.")
    reason = f"Wave {wave.number} of {len(preview['waves'])}: {job.plan.reason}"[:500]
    return Plan(kind=REPROCESS, reason=reason, options={**job.plan.options, "wave": wave.number}, included=included)


def refuse_other_making(job: Job) -> None:
    """Raises WaveError where rows are made otherwise now than when the rollout was previewed."""
    for name, made_by in (job.plan.preview or {})["made_by"].items():
        if name not in registry.current() or code.making(registry.current()[name]) != made_by:
            raise WaveError(f"How rows of {name} are made has changed since the approval. Abort, and make a new plan.")


def _judge(run: Run, rollout: Rollout, wave: Wave, of_wave: Job) -> None:
    """The wave's job `of_wave` is over: check what it published, and go on or pause, in one transaction."""
    if of_wave.state not in Job.PUBLISHED:
        with transaction.atomic():
            detail = {"job": str(of_wave.pk), "state": of_wave.state}
            move(wave, Wave.State.STOPPED, among=[Wave.State.RUNNING], actor=None, detail=detail)
            if rollout.abort_by is None:
                told = f"Wave {wave.number} {of_wave.state} and published nothing. {of_wave.error}".strip()
                _pause(run, f"{told} It can be tried again.")
        return
    checks = [found.as_json() for found in wave_evidence.of(run.connection, run.job, of_wave)]
    with transaction.atomic():
        result = RESULTS[wave_checks.outcome(checks)]
        move(wave, result, among=[Wave.State.RUNNING], actor=None, detail={"checks": checks}, checks=checks)
        failpoint("wave judged")
        locked = Rollout.objects.select_for_update().get(pk=rollout.pk)
        if locked.abort_by is None:
            _pause_after(run, locked, wave)


def _pause_after(run: Run, rollout: Rollout, wave: Wave) -> None:
    """Pause where the checks or the plan ask for it; after the last wave only where a check failed."""
    rules, now = Rules.from_json(run.job.plan.options), timezone.now()
    failed = [c for found in rollout.waves.all() for c in found.checks if c["result"] == wave_checks.FAIL]
    last = not rollout.waves.filter(state__in=Wave.TO_DO).exists()
    if wave.state == Wave.State.FAILED and len(failed) > rules.failures:
        told = " ".join(check["told"] for check in wave.checks if check["result"] == wave_checks.FAIL)
        _pause(run, f"Checks of wave {wave.number} failed. {told}")
    elif last:
        return
    elif rollout.pause_by is not None:
        _pause(run, f"{rollout.pause_by.get_username()} asked for it, after wave {wave.number}.")
    elif rollout.promoted_all:
        return
    elif wave.state == Wave.State.INCONCLUSIVE:
        told = " ".join(check["told"] for check in wave.checks if check["result"] == wave_checks.INCONCLUSIVE)
        _pause(run, f"The checks of wave {wave.number} cannot tell. {told}")
    elif rules.pause_minutes == UNTIL_PROMOTED:
        _pause(run, f"Wave {wave.number} passed. The plan waits for a person after each wave.")
    elif rules.pause_minutes:
        until = now + timedelta(minutes=rules.pause_minutes)
        _pause(run, f"Wave {wave.number} passed. The plan waits {rules.pause_minutes:,} min after each wave.", until)


def _pause(run: Run, why: str, resume_at: datetime | None = None) -> None:
    pause(run.job, why, where={"epoch": run.epoch}, resume_at=resume_at)


def pause(job: Job, why: str, *, where: dict[str, Any] | None = None, resume_at: datetime | None = None) -> None:
    """Wait for a person, or for `resume_at`. Raises StateChangedError."""
    with transaction.atomic():
        Rollout.objects.select_for_update().get(job=job)  # before the job, as everybody does
        move(
            job,
            Job.State.PAUSED,
            among=[Job.State.RUNNING],
            actor=None,
            where=where,
            detail={"why": why},
            lease_until=None,
            progress={},
        )
        Rollout.objects.filter(job=job).update(why=why, resume_at=resume_at, pause_by=None)


def resume(now: datetime) -> int:
    """Let the rollouts go on whose pause is over; how many."""
    resumed = 0
    for rollout in Rollout.objects.filter(job__state=Job.State.PAUSED, resume_at__lte=now).select_related("job"):
        with suppress(StateChangedError), transaction.atomic():
            Rollout.objects.select_for_update().get(pk=rollout.pk)
            move(rollout.job, Job.State.RUNNING, among=[Job.State.PAUSED], actor=None, attempts=0)
            Rollout.objects.filter(pk=rollout.pk).update(why="", resume_at=None)
            doorbell.ring(rollout.job.pk)
            resumed += 1
    return resumed


def _abort(run: Run, rollout: Rollout, actor: User) -> None:
    """End where it stands; with what was published taken back, if that was asked for, as a plan of its own."""
    published = rollout.waves.filter(state__in=Wave.PUBLISHED).count()
    waves = rollout.waves.count()
    told = (
        f"Aborted by {actor.get_username()}: {rollout.abort_reason.rstrip('. ')}. {published:,} of"
        f" {things(waves, 'wave is', 'waves are')} published; nothing more will be."
    )
    way, found = None, outcome(rollout) if published else None
    if rollout.roll_back and published:
        try:
            way = rollback_requests.find(run.connection, run.job, with_later=True)
        except TellableError as error:
            told += f" Their rollback could not be asked for: {error}"
    try:
        _end(run, actor, told, found, way, rollout.abort_reason)
    except AlreadyActiveError as error:
        _end(run, actor, f"{told} Their rollback could not be asked for: {error}", found, None, "")


def _end(
    run: Run, actor: User, told: str, found: dict[str, Any] | None, way: rollback_requests.Way | None, reason: str
) -> None:
    """End the rollout and ask for the rollback of what it published, in one transaction. Raises AlreadyActiveError."""
    with transaction.atomic():
        where = {"epoch": run.epoch}
        end(
            run.job, Job.State.CANCELLED, among=[Job.State.RUNNING], actor=actor, where=where, error=told, outcome=found
        )
        if way is not None:
            rollback_requests.submit(run.job, way, reason=reason, actor=actor)
        failpoint("rollout aborting")


def outcome(rollout: Rollout) -> dict[str, Any]:
    """What its published waves did, summed by table; a key that several waves touched counts in each of them."""
    tables: dict[str, dict[str, int]] = {}
    load_runs: dict[str, str] = {}
    for wave in rollout.waves.filter(state__in=Wave.PUBLISHED).select_related("job"):
        published = _published(wave)
        for table, counts in published["tables"].items():
            so_far = tables.setdefault(table, {})
            numbers = {name: number for name, number in counts.items() if isinstance(number, int)}
            tables[table] = {name: so_far.get(name, 0) + number for name, number in numbers.items()}
        load_runs |= {f"{wave.number}/{old}": new for old, new in published["load_runs"].items()}
    return {"tables": tables, "load_runs": load_runs, "waves": rollout.waves.filter(state__in=Wave.PUBLISHED).count()}
