"""Moves an archive set to the cold tier: its hot rows as files, verified and sealed; then, if asked, the rows go.

A part is in one of three places: hot only, hot and cold, cold only. The files are sealed before the catalogue speaks
of them, and the rows go in the transaction in which the sealed files have been read once more: whoever dies in between
leaves the part whole in one place at least, and the next call goes on. Of rows that go, every one has been read back
from the files into a table and its hashes made anew from its values.
"""

from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import archive_proof, archive_sets, cold_loading, cold_sealing, cold_verifying, journal
from warehouse.archive_sets import Part
from warehouse.cold_loading import Loaded
from warehouse.cold_manifest import Manifest
from warehouse.cold_reading import CHECKSUM, DamagedError, Finding
from warehouse.cold_sealing import CannotCoolError, Tier
from warehouse.cold_verifying import Known
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.progress import Told, nobody
from warehouse.registry import Registry

COOL = "cool"


def known(part: Part) -> Known | None:
    """What the catalogue says of the cold copy of a part; None where there is none."""
    if part.cold is None:
        return None
    return Known(part.cold["sha256"], part.rows, str(part.checksum), part.fingerprint)


def cool(
    connection: psycopg.Connection,
    registry: Registry,
    tier: Tier,
    set_id: UUID,
    writer: Writer,
    *,
    drop_hot: bool,
    told: Told = nobody,
) -> dict[str, Any]:
    """Bring every part of the set into the cold tier; the outcome, also when it had been done.

    `drop_hot`: remove the rows from the archive tables afterwards. Needs an autocommit connection; can be called again
    after any death. Raises CannotCoolError, DamagedError, StoreError, UnreachableStoreError, LostFenceError.
    """
    journal.raise_fence(connection, writer)
    if outcome := journal.done(connection, writer.job_id, COOL):
        return outcome
    found = archive_sets.of_id(connection, set_id)
    if found.removed_at is not None:
        raise CannotCoolError("The set was removed: there are no rows to move.")
    for part in archive_sets.parts(connection, [set_id]):
        if part.cold is None:
            extract = registry.of_table(part.table_name)
            made = cold_sealing.sealed(connection, extract, tier, found, part, writer, told)
            _note(connection, part, *made, writer)
            failpoint("cold part noted")
        if drop_hot and part.hot:
            _drop(connection, tier, set_id, part.table_name, writer, told)
            failpoint("hot rows gone")
    with connection.transaction():
        journal.hold_fence(connection, writer)
        outcome = _outcome(archive_sets.parts(connection, [set_id]))
        journal.record(connection, writer, COOL, outcome)
        journal.effect(connection, writer, COOL, {"set": str(set_id), **outcome})
    return outcome


def _outcome(parts: list[Part]) -> dict[str, Any]:
    tables = {}
    for part in parts:
        cold = part.cold or {}
        size = {"hot_bytes": part.bytes, **{name: cold.get(name, 0) for name in ("bytes", "files")}}
        tables[part.table_name] = {"rows": part.rows, **size, "hot": part.hot}
    return {"tables": tables}


def _note(connection: psycopg.Connection, part: Part, manifest: Manifest, sha256: str, writer: Writer) -> None:
    """Have the catalogue know the cold copy."""
    cold = manifest.catalogued(sha256)
    with connection.transaction():
        journal.hold_fence(connection, writer)
        _lock(connection, part.set_id)
        noted = connection.execute(
            "UPDATE restage.archive_parts SET cold = %s, verified_at = clock_timestamp(), verified = coalesce(verified,"
            " '{}') || jsonb_build_object('cold', jsonb_build_object('holds', true, 'at', clock_timestamp()))"
            " WHERE set_id = %s AND table_name = %s AND cold IS NULL",
            [Jsonb(cold), part.set_id, part.table_name],
        ).rowcount
        if noted:
            journal.effect(connection, writer, "write cold copy", {"set": str(part.set_id), "table": part.table_name})


def _lock(connection: psycopg.Connection, set_id: UUID) -> None:
    """Keep everybody off the set until the transaction ends. Raises CannotCoolError where it is gone."""
    found = connection.execute(
        "SELECT removed_at FROM restage.archive_sets WHERE set_id = %s FOR UPDATE", [set_id]
    ).fetchone()
    if found != (None,):
        raise CannotCoolError("The set was removed meanwhile. Nothing was moved.")


def _drop(connection: psycopg.Connection, tier: Tier, set_id: UUID, table: str, writer: Writer, told: Told) -> None:
    """Remove the hot rows of a part whose files have given every row back."""
    part = _part(connection, set_id, table)
    if not part.hot:
        return
    prove(connection, tier, part, writer, told=told)
    failpoint("cold part proved")
    with connection.transaction():
        journal.hold_fence(connection, writer)
        _lock(connection, set_id)
        part = _part(connection, set_id, table)
        _refuse_in_use(connection, set_id, writer)
        cold_verifying.demand(tier.store, tier.secrets, set_id, table, known=known(part))
        gone = connection.execute(
            sql.SQL("DELETE FROM {} a WHERE {}").format(archive_sets.lies_in(part), archive_sets.of_part(part))
        ).rowcount
        if gone != part.rows:
            raise CannotCoolError(
                f"stg.{table}_archive holds {gone:,} rows of the set instead of {part.rows:,}. None was removed."
            )
        connection.execute(
            "UPDATE restage.archive_parts SET hot = false WHERE set_id = %s AND table_name = %s", [set_id, table]
        )
        journal.effect(connection, writer, "drop hot copy", {"set": str(set_id), "table": table, "rows": gone})
        failpoint("hot rows going")


def _part(connection: psycopg.Connection, set_id: UUID, table: str) -> Part:
    found = archive_sets.part(connection, set_id, table)
    if found is None or found.cold is None:
        raise CannotCoolError(f"The catalogue does not know a cold copy of stg.{table} in this set.")
    return found


def _refuse_in_use(connection: psycopg.Connection, set_id: UUID, writer: Writer) -> None:
    found = connection.execute(
        "SELECT FROM restage.archive_uses WHERE set_id = %s AND job_id <> %s LIMIT 1", [set_id, writer.job_id]
    ).fetchone()
    if found is not None:
        raise CannotCoolError("Another job reads this set. Its hot rows stay; ask again when that job is over.")


def bring(connection: psycopg.Connection, tier: Tier, part: Part, *, into: sql.Identifier, told: Told) -> Loaded:
    """Make `into` of the cold rows of a part. Raises what cold_loading.load() raises."""
    return cold_loading.load(
        connection,
        tier.store,
        tier.secrets,
        part.set_id,
        part.table_name,
        into=into,
        known=known(part),
        told=told,
    )


def prove(connection: psycopg.Connection, tier: Tier, part: Part, writer: Writer, *, told: Told = nobody) -> Manifest:
    """Read the cold rows of a part into a table aside and make every hash anew from the values.

    Raises DamagedError, StoreError, UnreachableStoreError, LostFenceError.
    """
    aside = sql.Identifier("restage_build", f"{part.table_name}_cold_{writer.tag}")
    with connection.transaction():
        journal.hold_fence(connection, writer)
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(aside))
    try:
        loaded = bring(connection, tier, part, into=aside, told=told)
        (anew,) = connection.execute(
            sql.SQL("SELECT {} FROM {} a").format(archive_proof.checksum_anew(loaded.manifest.hashed, "a"), aside)
        ).fetchone() or (None,)
        if anew != part.checksum:
            told_so = "hashes made anew from the values are not those of the archived rows"
            raise DamagedError([Finding(CHECKSUM, part.table_name, told_so)])
    finally:
        if not connection.broken:
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(aside))
    return loaded.manifest
