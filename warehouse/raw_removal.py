"""Deletes the raw records of attempts that a reprocessing has just replaced, in the transaction that publishes it.

A rollback is not possible afterwards, so the rows of staging that the attempts own are archived first: the set, and the
file as far as it is still delivered, are what is left of them. restage.raw_deletions says of each attempt how many
records it had and which set was made.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import archive_holds, archive_retention, archiving, names, single
from warehouse.attempts import Staged
from warehouse.errors import TellableError
from warehouse.journal import Writer
from warehouse.registry import Extract, Registry

TABLE = """load_run_file_id integer PRIMARY KEY, set_id uuid NOT NULL, job_id uuid NOT NULL, records bigint NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now()"""
Read = Mapping[str, list[Staged]]  # table → its files that were read again


class RawIsHeldError(TellableError):
    """A legal hold stands on what is kept of the load run: its raw records stay too. Nothing was changed."""


def due(connection: psycopg.Connection, extract: Extract, files: Iterable[int]) -> int:
    """How many records raw has of these attempts."""
    (records,) = single.row(
        connection,
        sql.SQL("SELECT count(*) FROM {} WHERE load_run_file_id = ANY({})").format(
            names.raw(extract), names.integers(files)
        ),
    )
    return int(records)


def refuse_held(connection: psycopg.Connection, load_runs: Iterable[UUID]) -> None:
    """Raises RawIsHeldError. In a transaction no hold is placed on a set of these runs until it ends."""
    sets = connection.execute(
        "SELECT set_id FROM restage.archive_sets WHERE load_run_id = ANY(%s) AND removed_at IS NULL"
        " ORDER BY set_id FOR UPDATE",
        [list(load_runs)],
    ).fetchall()
    held = [set_id for (set_id,) in sets if archive_holds.HOLDS.stand(connection, set_id)]
    if held:
        raise RawIsHeldError(
            f"A legal hold stands on archive set {held[0]} of the load run: its raw records stay as long as it does."
            " Nothing was changed. Ask again and keep the raw records, or have the hold released."
        )


def keep(
    connection: psycopg.Connection, registry: Registry, read: Read, writer: Writer, *, reason: str
) -> dict[UUID, UUID]:
    """Archive what the attempts that are replaced own in staging now: load run → its set.

    In the transaction that publishes, before staging is written. Raises RawIsHeldError, CannotArchiveError.
    """
    runs = _by_run(read)
    refuse_held(connection, runs)
    rules, now = archive_retention.rules(connection), single.now(connection)
    told, kept = f"before its raw records were deleted: {reason}", {}
    for run, tables in runs.items():
        made = archiving.archive(
            connection,
            registry,
            run,
            tables,
            reason=told,
            expires_at=now + timedelta(days=archive_retention.days(rules, tables, told)),
            writer=writer,
            only={
                table: sql.SQL("s.load_run_file_id = ANY({})").format(names.integers(files))
                for table, files in tables.items()
            },
        )
        kept[run] = made.set_id
    refuse_held(connection, runs)  # of a set that another job has made meanwhile: from here on none is made
    return kept


def delete(
    connection: psycopg.Connection, registry: Registry, read: Read, kept: Mapping[UUID, UUID], writer: Writer
) -> dict[str, Any]:
    """Delete them, after keep() and after staging was written; what was done: records by table, and the sets."""
    records: dict[str, int] = defaultdict(int)
    for run, tables in _by_run(read).items():
        for table, files in tables.items():
            of = {"raw": names.raw(registry.of_table(table)), "files": names.integers(files)}
            gone = connection.execute(
                sql.SQL(
                    "WITH gone AS (DELETE FROM {raw} WHERE load_run_file_id = ANY({files}) RETURNING load_run_file_id)"
                    " INSERT INTO restage.raw_deletions (load_run_file_id, set_id, job_id, records)"
                    " SELECT load_run_file_id, {set_id}, {job}, count(*) FROM gone GROUP BY 1 RETURNING records"
                ).format(set_id=sql.Literal(kept[run]), job=sql.Literal(writer.job_id), **of)
            ).fetchall()
            records[table] += sum(number for (number,) in gone)
    total = sum(records.values())
    return {"records": dict(records), "total": total, "sets": [str(made) for made in kept.values()]}


def _by_run(read: Read) -> dict[UUID, dict[str, list[int]]]:
    """Load run → table → its attempts that are replaced."""
    found: dict[UUID, dict[str, list[int]]] = {}
    for table, files in read.items():
        for file in files:
            found.setdefault(file.load_run_id, {}).setdefault(table, []).append(file.old)
    return found
