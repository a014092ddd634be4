"""Writes one part of a set into the cold tier: its files, then the manifest that makes them an archive."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from warehouse import (
    archive_proof,
    archive_sets,
    cold_manifest,
    cold_store,
    cold_verifying,
    cold_writing,
    connections,
    hashes,
    single,
)
from warehouse.archive_sets import ArchiveSet, Part
from warehouse.cold_keys import Keys
from warehouse.cold_manifest import Manifest, Secrets
from warehouse.cold_store import SealedAlreadyError, Store, StoreError
from warehouse.cold_verifying import Known
from warehouse.cold_writing import Place
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.progress import Progress, Told
from warehouse.registry import Extract

DATES = ("date", "timestamp without time zone", "timestamp with time zone")


class CannotCoolError(TellableError):
    """The set cannot be moved as asked; the message says why. Its rows are where they were."""


@dataclass(frozen=True)
class Tier:
    """The cold tier: where it is, and the keys that its manifests are signed with."""

    store: Store
    secrets: Secrets


def sealed(
    connection: psycopg.Connection,
    extract: Extract,
    tier: Tier,
    of: ArchiveSet,
    part: Part,
    writer: Writer,
    told: Told,
) -> tuple[Manifest, str]:
    """The manifest of the part with its SHA-256: the one that an earlier try has sealed, or a new one."""
    if not part.hot:
        raise CannotCoolError(f"stg.{part.table_name}: its rows are neither hot nor cold. Nothing was moved.")
    if found := _sealed_before(tier, part):
        return found
    place = Place(tier.store, cold_store.folder_of(part.set_id, part.table_name), uuid4().hex)
    try:
        manifest = _write(connection, extract, tier, of, part, place, writer, told)
        content = manifest.sealed(tier.secrets)
        failpoint("cold files placed")
        tier.store.seal(manifest.name, content)
    except SealedAlreadyError:
        cold_writing.discard(place)
        found = _sealed_before(tier, part)
        if found is None:
            raise StoreError("The manifest that was there is gone again: somebody else works in the store.") from None
        return found
    except BaseException:
        cold_writing.discard(place)
        raise
    failpoint("cold part sealed")
    return manifest, cold_manifest.digest(content)


def _sealed_before(tier: Tier, part: Part) -> tuple[Manifest, str] | None:
    """What a worker has sealed that died before the catalogue knew it; verified, as if it were new."""
    try:
        manifest, sha256 = cold_manifest.read(tier.store, part.set_id, part.table_name, tier.secrets)
    except cold_store.GoneError:
        return None
    expected = Known(sha256, part.rows, str(part.checksum), part.fingerprint)
    cold_verifying.demand(tier.store, tier.secrets, part.set_id, part.table_name, known=expected)
    return manifest, sha256


def _write(
    connection: psycopg.Connection,
    extract: Extract,
    tier: Tier,
    of: ArchiveSet,
    part: Part,
    place: Place,
    writer: Writer,
    told: Told,
) -> Manifest:
    hashed = archive_proof.of_part(part, extract)
    key = tuple(name for name in extract.natural_key[:1] if name in part.names)  # it tells the most apart
    keys = Keys(tier.secrets.for_keys(), key) if key else None
    with connections.snapshot(connection):
        of_hashes, bounds = _demand_as_archived(connection, part, hashed)

        def progress(rows: int, size: int) -> None:
            told(Progress(f"write stg.{part.table_name} to the cold tier", 0, 0, rows, size))

        written = cold_writing.write(
            connection,
            archive_sets.rows_of(part),
            part.columns,
            place,
            footer={"set": str(part.set_id), "table": part.table_name},
            keys=keys,
            key_columns=key,
            told=progress,
        )
        if (written.tally.rows, written.tally.sums.get(hashes.COLUMN, 0)) != (part.rows, of_hashes):
            raise CannotCoolError(f"stg.{part.table_name}: other rows were written than are archived.")
        return Manifest(
            part.set_id,
            part.load_run_id,
            part.table_name,
            part.archive_version,
            part.rows,
            part.loaded,
            part.bytes,
            str(part.checksum),
            {name: list(columns) for name, columns in hashed.items()},
            part.columns,
            part.fingerprint,
            _statistics(bounds, written.tally.nulls),
            place.writing,
            _now(connection),
            writer.actor,
            _archived(of),
            written.files,
            written.keys,
            _sources(connection, part),
            _holds(connection, part.set_id),
        )


def _demand_as_archived(
    connection: psycopg.Connection, part: Part, hashed: archive_proof.Hashed
) -> tuple[int, dict[str, dict[str, Any]]]:
    """In the snapshot that is written: the rows are still those that the catalogue speaks of; the sum of their own
    hashes, and least and most of the dates. Raises CannotCoolError."""
    bounds = [
        sql.SQL("{name}, jsonb_build_object('least', min({c})::text, 'most', max({c})::text)").format(
            name=sql.Literal(column["name"]), c=sql.Identifier("a", column["name"])
        )
        for column in part.columns
        if column["type"] in DATES
    ]
    rows, checksum, of_hashes, found = single.row(
        connection,
        sql.SQL("SELECT count(*), {}, coalesce(sum(row_hash), 0), jsonb_build_object({}) FROM {} a WHERE {}").format(
            archive_proof.checksum(hashed, "a"),
            sql.SQL(", ").join(bounds),
            archive_sets.lies_in(part),
            archive_sets.of_part(part),
        ),
    )
    if (rows, checksum) != (part.rows, part.checksum):
        raise CannotCoolError(
            f"stg.{part.table_name}_archive does not hold the rows any more that were archived. Nothing was moved;"
            " the set needs a person."
        )
    return int(of_hashes), found


def _statistics(bounds: dict[str, dict[str, Any]], nulls: dict[str, int]) -> dict[str, dict[str, Any]]:
    """What a search may leave files out by. Of texts there is no least and no most: they would be values of people."""
    return {name: {"nulls": count, **bounds.get(name, {})} for name, count in nulls.items()}


def _archived(of: ArchiveSet) -> dict[str, Any]:
    return {
        "kind": of.kind,
        "reason": of.reason,
        "by": of.archived_by,
        "at": of.archived_at.isoformat(),
        "expires_at": of.expires_at.isoformat(),
        "job": str(of.job_id) if of.job_id else None,
    }


def _sources(connection: psycopg.Connection, part: Part) -> list[dict[str, Any]]:
    """The files of the load run that fed the table. The archive may outlive their rows in the warehouse."""
    names = (
        *("load_run_file_id", "s3_bucket", "s3_key", "s3_version_id", "file_hash", "content_sha256", "content_bytes"),
        *("date_extracted", "extract_type", "per_org_id", "practice_id"),
    )
    return [
        dict(zip(names, row, strict=True))
        for row in connection.execute(
            sql.SQL("SELECT {} FROM etl.load_run_files WHERE load_run_id = %s AND load_run_file_id IN (").format(
                sql.SQL(", ").join(map(sql.Identifier, names))
            )
            + sql.SQL("SELECT a.load_run_file_id FROM {} a WHERE {}) ORDER BY 1").format(
                archive_sets.lies_in(part), archive_sets.of_part(part)
            ),
            [part.load_run_id],
        )
    ]


def _holds(connection: psycopg.Connection, set_id: UUID) -> list[dict[str, Any]]:
    found = connection.execute(
        "SELECT reason, placed_by, placed_at FROM restage.archive_holds WHERE set_id = %s AND released_at IS NULL"
        " ORDER BY hold_id",
        [set_id],
    )
    return [{"reason": reason, "placed_by": by, "placed_at": at.isoformat()} for reason, by, at in found]


def _now(connection: psycopg.Connection) -> str:
    (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
    return now.isoformat() if now else ""
