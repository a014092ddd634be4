"""In which cold archives a natural key lies: the key filters leave most out, the key columns of the rest decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import cold_columns, cold_keys, cold_manifest, cold_reading, single
from warehouse.archive_sets import Part
from warehouse.cold_manifest import Manifest
from warehouse.cold_sealing import Tier
from warehouse.on_use import OnUse
from warehouse.registry import Extract

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa = OnUse("pyarrow")
    pc = OnUse("pyarrow.compute")
    pq = OnUse("pyarrow.parquet")


@dataclass(frozen=True)
class Hit:
    """A part that holds the key, in so many rows."""

    set_id: UUID
    table: str
    rows: int


def holding(tier: Tier, parts: Iterable[Part], table: str, key: Mapping[str, str]) -> list[Hit]:
    """Of these parts, the cold ones of a table that hold a key (column → its text), or a part of one.

    Raises DamagedError, ManifestError, StoreError, UnreachableStoreError.
    """
    found = []
    for part in parts:
        if part.table_name == table and part.cold is not None and part.rows:
            manifest, _sha256 = cold_manifest.read(tier.store, part.set_id, table, tier.secrets)
            if _may_hold(tier, manifest, key) and (rows := _rows(tier, manifest, key)):
                found.append(Hit(part.set_id, table, rows))
    return found


def as_in_files(connection: psycopg.Connection, extract: Extract, key: Mapping[str, str]) -> dict[str, str]:
    """A natural key as cold files write its values. Raises psycopg.DataError for what is none."""
    types = {column.name: column.type for column in extract.staged if column.name in extract.natural_key}
    with connection.transaction():
        cold_columns.settle(connection)
        values = [
            sql.SQL("({}::{})::text").format(sql.Literal(key[name]), sql.SQL(kind)) for name, kind in types.items()
        ]
        found = single.row(connection, sql.SQL("SELECT {}").format(sql.SQL(", ").join(values)))
    return dict(zip(types, found, strict=True))


def _may_hold(tier: Tier, manifest: Manifest, key: Mapping[str, str]) -> bool:
    """Where the filter is of other columns than are asked for, it cannot tell."""
    if manifest.keys is None or not set(manifest.keys.columns) <= set(key):
        return True
    with cold_reading.checked(tier.store, f"{manifest.folder}/{manifest.keys.name}", manifest.keys) as path:
        content = Path(path).read_bytes()
    values = [key[name] for name in manifest.keys.columns]
    return cold_keys.may_hold(content, tier.secrets.for_keys(manifest.signed_with), values)


def _rows(tier: Tier, manifest: Manifest, key: Mapping[str, str]) -> int:
    if not set(key) <= {column["name"] for column in manifest.columns}:
        return 0
    count = 0
    for entry in manifest.files:
        name = f"{manifest.folder}/{entry.name}"
        with cold_reading.checked(tier.store, name, entry) as path, pq.ParquetFile(path) as file:
            count += sum(_equal(batch, key) for batch in file.iter_batches(columns=list(key)))
    return count


def _equal(batch: pa.RecordBatch, key: Mapping[str, str]) -> int:
    same = [pc.equal(pc.cast(batch.column(name), pa.string()), value) for name, value in key.items()]
    whole = same[0]
    for one in same[1:]:
        whole = pc.and_(whole, one)
    return int(pc.sum(pc.cast(whole, pa.int64())).as_py() or 0)
