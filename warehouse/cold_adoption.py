"""Enters into the catalogue what lies sealed in the cold store: after a warehouse was lost, or moved."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from warehouse import cold_manifest, cold_orphans, cold_verifying, names
from warehouse.cold_manifest import Manifest
from warehouse.cold_orphans import SealedPart
from warehouse.cold_sealing import Tier
from warehouse.errors import TellableError
from warehouse.progress import Told, nobody


class CannotAdoptError(TellableError):
    """The part does not go into the catalogue; the message says why. Nothing was entered of it."""


@dataclass(frozen=True)
class Adopted:
    set_id: UUID
    table: str
    rows: int


def unknown(connection: psycopg.Connection, tier: Tier) -> list[SealedPart]:
    """The parts that are sealed in the store and not in the catalogue."""
    known = set(connection.execute("SELECT set_id, table_name FROM restage.archive_parts").fetchall())
    return [part for part in cold_orphans.sealed_parts(tier) if (part.set_id, part.table) not in known]


def adopt(connection: psycopg.Connection, tier: Tier, part: SealedPart, *, actor: str, told: Told = nobody) -> Adopted:
    """Verify a part and enter it, in one transaction. Raises CannotAdoptError, DamagedError, StoreError."""
    manifest = cold_verifying.demand(tier.store, tier.secrets, part.set_id, part.table, told=told)
    with connection.transaction():
        _enter_set(connection, manifest)
        try:
            with connection.transaction():
                entered = _enter_part(connection, tier, manifest)
        except psycopg.errors.UniqueViolation:
            raise CannotAdoptError(
                f"stg.{manifest.table}: the catalogue has another set of load run {manifest.load_run_id} with version"
                f" {manifest.version}. Nothing was entered."
            ) from None
        if entered:
            connection.execute(
                "INSERT INTO restage.effects (action, actor, detail) VALUES ('adopt archive', %s, %s)",
                [actor, Jsonb({"set": str(part.set_id), "table": part.table, "rows": manifest.rows})],
            )
    return Adopted(part.set_id, part.table, manifest.rows)


def _enter_set(connection: psycopg.Connection, manifest: Manifest) -> None:
    said = manifest.archived
    connection.execute(
        "INSERT INTO restage.archive_sets (set_id, load_run_id, kind, reason, job_id, archived_by, archived_at,"
        " expires_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (set_id) DO NOTHING",
        [
            manifest.set_id,
            manifest.load_run_id,
            *(said[name] for name in ("kind", "reason", "job", "by", "at", "expires_at")),
        ],
    )
    found = connection.execute(
        "SELECT load_run_id, removed_at FROM restage.archive_sets WHERE set_id = %s FOR UPDATE", [manifest.set_id]
    ).fetchone()
    if found != (manifest.load_run_id, None):
        raise CannotAdoptError(
            "The catalogue says that this set was removed, or that it is of another load run. Nothing was entered."
        )


def _enter_part(connection: psycopg.Connection, tier: Tier, manifest: Manifest) -> bool:
    content = tier.store.read(manifest.name)
    row: dict[str, Any] = {
        "set_id": manifest.set_id,
        "table_name": manifest.table,
        "load_run_id": manifest.load_run_id,
        "archive_version": manifest.version,
        "archived_at": manifest.archived["at"],
        "rows": manifest.rows,
        "loaded": manifest.loaded,
        "bytes": manifest.hot_bytes,
        "checksum": manifest.checksum,
        "columns": Jsonb(manifest.columns),
        "fingerprint": manifest.fingerprint,
        "hashed": Jsonb(manifest.hashed),
        "statistics": Jsonb(manifest.statistics),
        "hot": False,
        "cold": Jsonb(manifest.catalogued(cold_manifest.digest(content))),
    }
    statement = sql.SQL(
        "INSERT INTO restage.archive_parts ({columns}, verified_at, verified) VALUES ({places}, clock_timestamp(),"
        " jsonb_build_object('cold', jsonb_build_object('holds', true, 'at', clock_timestamp())))"
        " ON CONFLICT (set_id, table_name) DO NOTHING"
    ).format(columns=names.columns([*row]), places=sql.SQL(", ").join([sql.Placeholder()] * len(row)))
    return bool(connection.execute(statement, list(row.values())).rowcount)
