"""Asking for a restore, for one that was shown by a dry run, and for raw to decide again over a restore's rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from access import rights
from audit.transitions import record
from jobs import submission
from jobs.models import Job, Plan
from jobs.origin import Origin
from jobs.submission import CannotAskError
from warehouse import archive_sources, pins, registry
from warehouse.archive_sets import Part
from warehouse.connections import connect
from warehouse.restore_classes import SKIP
from warehouse.restoring import RESTORE, STAGING
from warehouse.unpinning import UNPIN


@dataclass(frozen=True)
class Wanted:
    """What is asked for. `renamed`: column of the set → column of staging, "" to leave it out."""

    set_id: UUID
    tables: tuple[str, ...] = ()
    into: str = STAGING
    on_newer: str = SKIP
    renamed: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "set": str(self.set_id),
            "tables": list(self.tables),
            "into": self.into,
            "on_newer": self.on_newer,
            "map": dict(self.renamed),
            "source": "archive",
        }


def newest(url: str, load_run_id: UUID, tables: Sequence[str]) -> UUID:
    """The newest set of a load run (that has the first of these tables). Raises NotThereError."""
    with connect(url, purpose="plan") as connection:
        return archive_sources.newest(connection, load_run_id, tables[0] if tables else "")


def ask(
    url: str, wanted: Wanted, *, reason: str, actor: User, dry_run: bool = False, origin: Origin | None = None
) -> Job:
    """Plan the restore of a set and have its preview made. `origin`: what asks, on whose behalf.

    Raises PermissionDenied, NoSuchSetError, RemovedError, NotThereError, AlreadyActiveError,
    UnreachableWarehouseError.
    """
    rights.demand(actor, rights.RESTORE)
    with connect(url, purpose="plan") as connection:
        parts = archive_sources.chosen(connection, wanted.set_id, wanted.tables)
    return _submit(parts, wanted.as_json(), reason=reason, actor=actor, dry_run=dry_run, origin=origin)


def confirm(url: str, shown: Job, *, actor: User) -> Job:
    """Ask for exactly what a dry run has shown: where staging has changed since, it ends before it begins.

    Raises PermissionDenied, CannotAskError, NoSuchSetError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.RESTORE)
    if shown.kind != RESTORE or shown.state != Job.State.PREVIEWED:
        raise CannotAskError("Only a dry run of a restore can be confirmed. Nothing was changed.")
    options = {name: value for name, value in shown.plan.options.items() if name != "confirmed"}
    checksums = {table: counts["checksum"] for table, counts in shown.plan.tables.items()}
    with connect(url, purpose="plan") as connection:
        parts = archive_sources.chosen(connection, UUID(options["set"]), options["tables"])
    agreed = {**options, "confirmed": checksums, "shown_by": str(shown.pk)}
    return _submit(parts, agreed, reason=shown.plan.reason, actor=actor, dry_run=False)


def _submit(
    parts: Sequence[Part],
    options: dict[str, Any],
    *,
    reason: str,
    actor: User,
    dry_run: bool,
    origin: Origin | None = None,
) -> Job:
    known = {extract.table: extract.name for extract in registry.current().extracts}
    included = [
        {
            "run": str(part.load_run_id),
            "key": f"stg.{part.table_name}, version {part.archive_version}",
            "extract": known.get(part.table_name, part.table_name),
            "table": part.table_name,
            "records": part.rows,
        }
        for part in parts
    ]
    plan = Plan(kind=RESTORE, reason=reason, options=options, included=included)
    return submission.submit(plan, actor, dry_run=dry_run, origin=origin)


def pinned(url: str, job: Job) -> dict[str, int]:
    """Table → how many rows this restore keeps against the fold."""
    if job.kind != RESTORE or job.state not in Job.PUBLISHED:
        return {}
    with connect(url, purpose="pins") as connection:
        return pins.of_job(connection, job.pk)


def ask_unpin(url: str, restore: Job, *, reason: str, actor: User, origin: Origin | None = None) -> Job:
    """Plan that raw decides again over the rows that a restore keeps pinned. `origin`: what asks, on whose behalf.

    Raises PermissionDenied, CannotAskError, AlreadyActiveError, UnreachableWarehouseError.
    """
    rights.demand(actor, rights.RESTORE)
    found = pinned(url, restore)
    if not found:
        raise CannotAskError("This job keeps no row against raw: there is nothing to let go. Nothing was changed.")
    included = [{**item, "records": found[item["table"]]} for item in restore.plan.included if item["table"] in found]
    options = {"restore": str(restore.pk), "source": "archive"}
    plan = Plan(kind=UNPIN, reason=reason, options=options, included=included)
    with transaction.atomic():
        made = submission.submit(plan, actor, origin=origin)
        record(actor, "unpinning requested", restore, {"job": str(made.pk), "reason": reason})
    return made
