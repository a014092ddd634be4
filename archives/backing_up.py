"""The kind of job that takes a base backup of the embedded server, verifies it, and removes what is too old."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.auth.models import User

from access import rights
from archives import copies, witnessing
from jobs import submission
from jobs.kinds import Described, Kind, Preview, Run, writer_of
from jobs.models import Job, Plan
from recovery.backups import BaseBackup, Folder
from recovery.errors import CannotBackUpError
from warehouse import journal
from warehouse.amounts import megabytes
from warehouse.errors import TellableError
from warehouse.progress import Progress

NAME, STEP = "base backup", "base backup"


class NotBackedUpError(TellableError):
    """No base backup was taken; the message says why."""


def ask(actor: User, *, reason: str) -> Job:
    """Have a base backup taken. Raises PermissionDenied, NotBackedUpError."""
    rights.demand(actor, rights.RESTORE)
    return submit(actor, reason=reason)


def submit(actor: User, *, reason: str) -> Job:
    """The same without the right: for what Restage asks for itself. Raises NotBackedUpError."""
    demand()
    return submission.submit(Plan(kind=NAME, reason=reason, options={"source": "server"}), actor)


def demand() -> Folder:
    """The folder of our own backups. Raises NotBackedUpError where the warehouse is not ours to back up."""
    folder = copies.own()
    if folder is None:
        raise NotBackedUpError(
            "Restage takes base backups of the embedded server only, and of that not where RESTAGE_BACKUPS is off. This"
            " warehouse's own backup program takes them."
        )
    return folder


def _preview(run: Run) -> Preview:
    last = next(reversed(demand().listed()), None)
    seconds = last.seconds if last else 60.0
    told = {"tables": {}, "records": 0, "preview_seconds": 0.0, "estimate_seconds": seconds}
    return Preview([], [], {**told, "estimate_low": seconds, "estimate_basis": "the last one" if last else "a guess"})


def _execute(run: Run) -> dict[str, Any]:
    writer, folder = writer_of(run), demand()
    journal.raise_fence(run.connection, writer)
    if outcome := journal.done(run.connection, writer.job_id, STEP):
        return outcome
    witnessing.witness(run.connection, run)
    backup = _taken(folder, writer.tag) or _take(folder, run, writer.tag)
    witnessing.witness(run.connection, run)
    removed = folder.remove_old(now=datetime.now(UTC), days=settings.BACKUP_DAYS)
    outcome = {"tables": {}, "backup": as_json(backup), "removed": [old.label for old in removed]}
    with run.connection.transaction():
        journal.hold_fence(run.connection, writer)
        journal.record(run.connection, writer, STEP, outcome)
    return outcome


def _taken(folder: Folder, tag: str) -> BaseBackup | None:
    """The one that a former worker of this job has entered before it died."""
    return next((known for known in folder.listed() if known.label.endswith(tag)), None)


def _take(folder: Folder, run: Run, tag: str) -> BaseBackup:
    label = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}_{tag}"
    try:
        return folder.take(
            settings.WAREHOUSE_URL, label=label, alive=lambda: run.progress(Progress("copy the server and verify it"))
        )
    except CannotBackUpError as error:
        raise NotBackedUpError(f"{error} No base backup was entered; those that are there still count.") from error


def as_json(backup: BaseBackup) -> dict[str, Any]:
    return {
        "label": backup.label,
        "started_at": backup.started_at.isoformat(),
        "ended_at": backup.ended_at.isoformat(),
        "start_lsn": backup.start_lsn,
        "end_lsn": backup.end_lsn,
        "bytes": backup.bytes,
        "seconds": backup.seconds,
        "verified": True,
    }


def _published(connection: psycopg.Connection, job_id: Any) -> dict[str, Any] | None:
    return journal.done(connection, job_id, STEP)


def _describe(job: Job) -> Described:
    made = (job.outcome or {}).get("backup", {})
    return Described(
        what="Copy the whole embedded server, so that moments from then on can be recovered, and check the copy.",
        number=1,
        counted="base backup",
        columns=(),
        rows=[],
        way_back=f"Nothing is changed by it. Backups go after {settings.BACKUP_DAYS:g} days.",
        ended=f"Taken and checked: {megabytes(made.get('bytes', 0))}. Every moment from its end on can be recovered.",
        verb="Take",
    )


KIND = Kind(NAME, "Base backup", False, _preview, _execute, _published, asks_by_size=False, describe=_describe)
