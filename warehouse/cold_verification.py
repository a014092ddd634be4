"""Verifying cold archives as a duty: which one is due, what was found, and what the catalogue keeps of that."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from warehouse import archive_sets, cold_verifying, cooling, journal
from warehouse.archive_sets import PART_COLUMNS, Part
from warehouse.cold_reading import DamagedError
from warehouse.cold_sealing import Tier
from warehouse.cold_verifying import Verdict
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.progress import Told, nobody

VERIFIED = "verify archive"


def cold_parts(connection: psycopg.Connection, sets: Sequence[UUID] | None = None) -> list[Part]:
    """The parts that are cold, of these sets or of all that are there; the longest unverified first."""
    with connection.cursor(row_factory=class_row(Part)) as cursor:
        return cursor.execute(
            sql.SQL(
                "SELECT {} FROM restage.archive_parts p WHERE cold IS NOT NULL"
                " AND (%(sets)s::uuid[] IS NULL OR set_id = ANY(%(sets)s))"
                " AND EXISTS (SELECT FROM restage.archive_sets s WHERE s.set_id = p.set_id AND removed_at IS NULL)"
                " ORDER BY (verified #>> '{{cold,at}}')::timestamptz NULLS FIRST, set_id, table_name"
            ).format(PART_COLUMNS),
            {"sets": None if sets is None else list(sets)},
        ).fetchall()


def verified_at(part: Part) -> datetime | None:
    """When its files were last verified."""
    told = ((part.verified or {}).get("cold") or {}).get("at")
    return datetime.fromisoformat(told) if told else None


def verify(connection: psycopg.Connection, tier: Tier, part: Part, *, told: Told = nobody) -> Verdict:
    """Read every file of the part once; the verdict is noted. Raises StoreError, UnreachableStoreError."""
    found = cold_verifying.verify(
        tier.store, tier.secrets, part.set_id, part.table_name, known=cooling.known(part), told=told
    )
    note(connection, part, found, deep=False)
    return found


def verify_deeply(
    connection: psycopg.Connection, tier: Tier, part: Part, writer: Writer, *, told: Told = nobody
) -> Verdict:
    """The same, and every row read into a table aside and hashed anew.

    Raises StoreError, UnreachableStoreError, LostFenceError.
    """
    found = cold_verifying.verify(tier.store, tier.secrets, part.set_id, part.table_name, known=cooling.known(part))
    if found.holds:
        try:
            cooling.prove(connection, tier, part, writer, told=told)
        except DamagedError as error:
            found = Verdict(part.set_id, part.table_name, found.manifest, tuple(error.findings), found.bytes)
    note(connection, part, found, deep=True)
    return found


def note(connection: psycopg.Connection, part: Part, found: Verdict, *, deep: bool) -> None:
    """Keep the verdict, beside what is known of the hot rows."""
    connection.execute(
        "UPDATE restage.archive_parts SET verified_at = clock_timestamp(), verified = coalesce(verified, '{}')"
        " || jsonb_build_object('cold', %s || jsonb_build_object('at', clock_timestamp()))"
        " WHERE set_id = %s AND table_name = %s",
        [Jsonb({**found.as_json(), "deep": deep}), part.set_id, part.table_name],
    )


def carry_out(
    connection: psycopg.Connection, tier: Tier, set_id: UUID, writer: Writer, *, deep: bool, told: Told = nobody
) -> dict[str, Any]:
    """Verify every cold part of a set on behalf of a job; the outcome, also when it had been done.

    Needs an autocommit connection; can be called again after any death. Raises DamagedError once every verdict is
    noted, NoSuchSetError, StoreError, UnreachableStoreError, LostFenceError.
    """
    journal.raise_fence(connection, writer)
    if outcome := journal.done(connection, writer.job_id, VERIFIED):
        return outcome
    archive_sets.of_id(connection, set_id)
    tables, damage = {}, []
    for part in cold_parts(connection, [set_id]):
        if deep:
            found = verify_deeply(connection, tier, part, writer, told=told)
        else:
            found = verify(connection, tier, part, told=told)
        tables[part.table_name] = {"rows": part.rows, **found.as_json()}
        damage += [replace(finding, where=f"stg.{part.table_name}, {finding.where}") for finding in found.findings]
        failpoint("cold part verified")
    if damage:
        raise DamagedError(damage)
    with connection.transaction():
        journal.hold_fence(connection, writer)
        outcome = {"tables": tables, "holds": True}
        journal.record(connection, writer, VERIFIED, outcome)
    return outcome
