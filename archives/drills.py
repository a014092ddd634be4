"""Drills: a rung of the recovery ladder counts only as far as it was tried.

A drill restores a hot and a cold archive set and recovers a moment of the past, each chosen by chance, into tables
aside, compares what came with what must be there (count, order-free checksum, hashes of some rows), keeps time and
result, and removes the tables again. What is in staging is not touched.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth.models import User

from access import rights
from archives import cold_tier, copies, witnessing
from audit.transitions import record
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from recovery.backups import Folder
from recovery.repositories import Repository, Target
from warehouse import aside, drilling, journal, proofs, recovered, registry, single, witnesses
from warehouse.amounts import word
from warehouse.cold_manifest import ManifestError
from warehouse.cold_reading import DamagedError
from warehouse.cold_store import StoreError
from warehouse.errors import TellableError
from warehouse.journal import Writer
from warehouse.progress import Progress
from warehouse.recovered import Wanted

NAME, STEP = "drill", "drill"
# The trail's words for it, on which alerts can be set: they stay as they are.
FAILED, OVERDUE = "drill failed", "drill overdue"
RUNGS = (proofs.ARCHIVE, proofs.COLD, proofs.POINT_IN_TIME)


class DrillFailedError(TellableError):
    """A rung did not give back what it must; the message says which and how. Nothing of staging was touched."""


@dataclass(frozen=True)
class Result:
    """One rung tried. `rows` came; `compared`: both sides, without values."""

    holds: bool
    rows: int
    told: str
    compared: dict[str, Any]


def ask(actor: User, *, reason: str, seed: int) -> Job:
    """Have a drill done now. `seed` decides what it tries. Raises PermissionDenied."""
    rights.demand(actor, rights.RESTORE)
    return submit(actor, reason=reason, seed=seed)


def submit(actor: User, *, reason: str, seed: int) -> Job:
    """The same without the right: for what Restage asks for itself."""
    return submission.submit(Plan(kind=NAME, reason=reason, options={"source": "drill", "seed": seed}), actor)


def _preview(run: Run) -> Preview:
    lasts = [proofs.last_held(run.connection, rung) for rung in RUNGS]
    known = [last.seconds for last in lasts if last]
    seconds = sum(known) if known else 60.0
    told = {"tables": {}, "records": 0, "preview_seconds": 0.0, "estimate_seconds": seconds, "estimate_low": seconds}
    return Preview([], [], {**told, "estimate_basis": "the last drill" if known else "a guess"})


def _execute(run: Run) -> dict[str, Any]:
    writer, seed = writer_of(run), int(run.job.plan.options["seed"])
    journal.raise_fence(run.connection, writer)
    if outcome := journal.done(run.connection, writer.job_id, STEP):
        return outcome
    aside.sweep(run.connection, writer.job_id)
    try:
        tried = {rung: _try(run, writer, rung, seed) for rung in RUNGS}
    finally:
        aside.sweep(run.connection, writer.job_id)
    results = {rung: result for rung, result in tried.items() if result}
    if not results:
        raise DrillFailedError(
            "There is nothing to try: no archive set, and no base backup from which a moment could be recovered."
        )
    if failed := [f"{rung}: {result.told}" for rung, result in results.items() if not result.holds]:
        raise DrillFailedError(f"The drill failed. {' '.join(failed)} Nothing in staging was touched.")
    outcome = {"tables": {}, "drilled": {rung: result.told for rung, result in results.items()}}
    with run.connection.transaction():
        journal.hold_fence(run.connection, writer)
        journal.record(run.connection, writer, STEP, outcome)
    return outcome


def _try(run: Run, writer: Writer, rung: str, seed: int) -> Result | None:
    """Try one rung and keep the proof; None where it has nothing that could be tried."""
    began = monotonic()
    try:
        result = _TRIED[rung](run, writer, seed)
    except (copies.NotRecoverableError, DamagedError, ManifestError, StoreError) as error:
        result = Result(False, 0, str(error), {})
    if result is None:
        return None
    with run.connection.transaction():
        journal.hold_fence(run.connection, writer)
        proofs.keep(
            run.connection,
            writer,
            rung,
            drill=True,
            seconds=monotonic() - began,
            holds=result.holds,
            rows=result.rows,
            told=result.told,
            compared=result.compared,
        )
    return result


def _archive_set(run: Run, writer: Writer, seed: int) -> Result | None:
    part = drilling.any_part(run.connection, seed)
    if part is None:
        return None
    run.progress(Progress(f"restore a set of stg.{part.table_name} aside"))
    found = drilling.restore_aside(run.connection, registry.current().of_table(part.table_name), part, writer)
    what = f"stg.{part.table_name} of set {part.set_id}"
    return _result(found.holds, found.rows, what, found.as_json())


def _cold_set(run: Run, writer: Writer, seed: int) -> Result | None:
    part = drilling.any_cold_part(run.connection, seed)
    if part is None:
        return None
    run.progress(Progress(f"read the files of a set of stg.{part.table_name} aside"))
    extract = registry.current().of_table(part.table_name)
    found = drilling.bring_aside(run.connection, extract, part, writer, cold_tier.tier(), run.progress)
    what = f"stg.{part.table_name} of the files of set {part.set_id}"
    return _result(found.holds, found.rows, what, found.as_json())


def _point_in_time(run: Run, writer: Writer, seed: int) -> Result | None:
    """A moment at which a witness was taken, chosen by chance among those that the repository reaches."""
    repository = copies.current()
    if repository is None or (isinstance(repository, Folder) and not repository.listed()):
        return None
    witness = witnesses.choose(
        run.connection, since=_since(repository), until=single.now(run.connection), seed=seed
    ) or witnessing.witness(run.connection, run, seed=seed)
    if witness is None:
        return None
    extract, target = registry.current().of_table(witness.table_name), Target(witness.at, witness.lsn)
    wanted = Wanted(extract, witness.at, None, "drill")

    def alive() -> None:
        run.progress(Progress(f"recover a copy to {target}"))

    with copies.recovered(run.connection, target, name=writer.tag, alive=alive) as then:
        brought = recovered.bring(then, run.connection, wanted, writer, run.progress)
    found = witnesses.see(run.connection, extract, recovered.table(writer, extract))
    compared = {"expected": witness.seen.as_json(), "found": found.as_json()}
    return _result(
        found == witness.seen, brought, f"stg.{extract.table} at {witness.at:%Y-%m-%d %H:%M:%S} UTC", compared
    )


_TRIED = {proofs.ARCHIVE: _archive_set, proofs.COLD: _cold_set, proofs.POINT_IN_TIME: _point_in_time}


def _since(repository: Repository) -> datetime:
    """From when on its moments can be recovered; of another program's repository it tells only when it is asked."""
    return repository.listed()[0].ended_at if isinstance(repository, Folder) else datetime(1970, 1, 1, tzinfo=UTC)


def _result(holds: bool, rows: int, what: str, compared: dict[str, Any]) -> Result:
    told = f"{rows:,} rows of {what} came back as they were." if holds else f"{what} did not come back as it was."
    return Result(holds, rows, told, compared)


def _ended(job: Job) -> None:
    """A drill that fails is an event of the trail, whatever it failed of; one that was cancelled is not."""
    if job.state in (Job.State.FAILED, Job.State.QUARANTINED):
        record(None, FAILED, job, {"why": job.error})


def is_overdue(connection: psycopg.Connection, now: datetime) -> bool:
    """Whether no drill has held for longer than drills are apart and a day."""
    lasts = [last for rung in RUNGS if (last := proofs.last_drill_held(connection, rung))]
    newest = max((last.at for last in lasts), default=None)
    return newest is None or newest < now - timedelta(days=settings.DRILL_DAYS + 1)


def _describe(job: Job) -> Described:
    tried = (job.outcome or {}).get("drilled", {})
    return Described(
        what="Restore a hot and a cold archive set and recover a moment, each by chance, into tables aside; compare"
        " them with what was noted of them, and time it.",
        number=len(tried),
        counted=word(len(tried), "way back was tried", "ways back were tried"),
        columns=(),
        rows=[],
        way_back="Staging is not touched, and the tables aside are gone.",
        ended=" ".join(tried.values()),
        verb="Drill",
    )


KIND = Kind(
    NAME,
    "Drill",
    False,
    _preview,
    _execute,
    lambda connection, job_id: journal.done(connection, job_id, STEP),
    ended=_ended,
    asks_by_size=False,
    describe=_describe,
)
