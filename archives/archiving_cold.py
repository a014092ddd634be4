"""The kind of job that archives a load run and then writes the set to the cold tier: hot first, then cold."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg

from archives import cold_tier, keeping
from jobs.kinds import Described, Run, writer_of
from jobs.models import Job
from warehouse import archive_job, cooling, journal, registry
from warehouse.cold_reading import DamagedError
from warehouse.cold_sealing import CannotCoolError
from warehouse.cold_store import StoreError


def _execute(run: Run) -> dict[str, Any]:
    archived = keeping.execute(run)
    try:
        moved = cooling.cool(
            run.connection,
            registry.current(),
            cold_tier.tier(),
            UUID(archived["set"]),
            writer_of(run),
            drop_hot=False,
            told=run.progress,
        )
    except (CannotCoolError, DamagedError, StoreError) as error:
        raise CannotCoolError(
            f"The rows are archived in the warehouse, as set {archived['set']}, but not in the cold tier. {error}"
            " Ask for its move again when that is mended."
        ) from error
    return _both(archived, moved)


def _published(connection: psycopg.Connection, job_id: UUID) -> dict[str, Any] | None:
    archived = journal.done(connection, job_id, archive_job.ARCHIVED)
    moved = journal.done(connection, job_id, cooling.COOL)
    return _both(archived, moved) if archived and moved else None


def _both(archived: dict[str, Any], moved: dict[str, Any]) -> dict[str, Any]:
    return {**archived, "cold": moved["tables"]}


def _describe(job: Job) -> Described:
    found = keeping.describe(job)
    return replace(
        found,
        what=f"{found.what} Then write them to sealed files of the cold tier as well.",
        ended=f"{found.ended} The files of the cold tier were read again and sealed.",
    )


KIND = replace(
    keeping.KIND,
    name=keeping.NAME_COLD,
    title="Archive, and write to the cold tier",
    execute=_execute,
    published=_published,
    describe=_describe,
)
