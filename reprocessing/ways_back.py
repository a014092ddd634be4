"""The way back from a job, told before anybody asks: whether there is one, how exact, until when, what is on top."""

from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from django.utils import timezone

from archives import restore_shown
from jobs.models import Job
from reprocessing import effects, planning, rolling_back
from warehouse import before_images, registry, rungs, undoing
from warehouse.before_images import ImageSet
from warehouse.rungs import Rung

_NO_WAY = "Cannot be taken back"


@dataclass(frozen=True)
class WayBack:
    """`state`, `label`: the badge. `later`: jobs that build on this one. `redo`: load runs to reprocess once more."""

    state: str
    label: str
    rungs: list[Rung] = field(default_factory=list)
    images: list[ImageSet] = field(default_factory=list)
    later: list[Job] = field(default_factory=list)
    redo: list[UUID] = field(default_factory=list)


def of(connection: psycopg.Connection, job: Job) -> WayBack | None:
    """The way back from a job, planned or done; None where it changes nothing."""
    if job.kind in restore_shown.KINDS:
        return None  # its own part of the page says it
    if job.kind == rolling_back.NAME:
        return WayBack("neutral", "By reprocessing again", redo=job.plan.load_runs)
    if job.kind == planning.ROLLOUT and job.state in (*Job.PUBLISHED, Job.State.CANCELLED):
        return _of_rollout(connection, job)
    if job.state == Job.State.ROLLED_BACK:
        images = before_images.of_jobs(connection, [job.pk])
        return WayBack("neutral", "Taken back", images=_kept(images), redo=job.plan.load_runs)
    if job.state in Job.PUBLISHED:
        return _of_published(connection, job)
    to_come = job.active or job.state == Job.State.PREVIEWED
    return _planned(job) if to_come and job.plan.preview and job.kind in planning.KINDS else None


def _of_published(connection: psycopg.Connection, job: Job) -> WayBack:
    ladder = rungs.of_job(connection, registry.current(), job.pk)
    if not ladder.possible:
        archived = any(rung.name == rungs.ARCHIVE and rung.holds for rung in ladder.rungs)
        label = "Cannot be taken back; what an archive set holds can be restored" if archived else _NO_WAY
        state = "attention" if archived else "bad"
    elif ladder.exact:
        until = timezone.localtime(min(image.expires_at for image in ladder.images))
        state, label = "ok", f"Can be taken back exactly until {until:%Y-%m-%d}, then by value"
    else:
        state, label = "attention", "Can be taken back by value; owners and load times would be new"
    chain = [later for later in undoing.chain(connection, job.pk) if later != job.pk]
    known = Job.objects.in_bulk(chain)
    later = [known[pk] for pk in chain if pk in known]
    return WayBack(state, label, ladder.rungs, _kept(ladder.images), later)


def _of_rollout(connection: psycopg.Connection, job: Job) -> WayBack:
    waves = list(job.children.filter(state__in=Job.PUBLISHED).values_list("pk", flat=True))
    images = before_images.of_jobs(connection, waves)
    if not waves:
        return WayBack("neutral", "Nothing to take back")
    label = "Its published wave" if len(waves) == 1 else f"Its {len(waves):,} published waves, one by one or all,"
    return WayBack("ok", f"{label} can be taken back", images=_kept(images))


def _kept(images: list[ImageSet]) -> list[ImageSet]:
    """Those that hold anything: of a table that did not change there is nothing to keep."""
    return [image for image in images if image.rows]


def _planned(job: Job) -> WayBack:
    """What a publish will leave behind, by the plan."""
    rows = sum(map(effects.changes, job.plan.tables.values()))
    if job.plan.options["source"] == "raw":
        told = f"{rows:,} rows will be kept for {before_images.KEPT_FOR.days} days, to be read only."
        return WayBack(
            "bad",
            "Will have no rollback",
            [
                Rung(rungs.BEFORE_IMAGE, False, "The rows as they are now, to look at.", told),
                Rung(rungs.ARCHIVE, False, "The rows as they were archived.", "Looked for once it has published."),
                Rung(rungs.RAW, False, "Nothing: no attempt is replaced.", "It only makes staging agree with raw."),
            ],
        )
    told = f"{rows:,} rows will be kept for {before_images.KEPT_FOR.days} days."
    if planning.deletes_raw(job.plan):
        return _planned_without_raw(told)
    return WayBack(
        "ok",
        f"Can be taken back exactly for {before_images.KEPT_FOR.days} days, then by value",
        [
            Rung(rungs.BEFORE_IMAGE, True, "The rows as they are now, with owner and load time.", told),
            Rung(rungs.ARCHIVE, False, "The rows as they were archived.", "Looked for once it has published."),
            Rung(rungs.RAW, True, "The values, made anew from raw.", "The replaced attempts and their records stay."),
        ],
    )


def _planned_without_raw(told: str) -> WayBack:
    """Of a publish that deletes the raw records of what it replaces."""
    return WayBack(
        "attention",
        "Will have no rollback; the archive set that it makes can be restored",
        [
            Rung(rungs.BEFORE_IMAGE, False, "The rows as they are now, to look at.", told),
            Rung(rungs.ARCHIVE, True, "The rows as they are now, by restoring the set.", "Made as it publishes."),
            Rung(rungs.RAW, False, "Nothing.", "The raw records of the replaced attempts are deleted."),
        ],
    )
