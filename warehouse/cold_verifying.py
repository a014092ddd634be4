"""Whether a cold archive is what was written: its manifest and every byte of its files, each point with its verdict.

Of a file that is not what its manifest says, nothing is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from warehouse import cold_columns, cold_manifest, cold_reading
from warehouse.cold_manifest import FileEntry, KeyFilter, Manifest, ManifestError, Secrets
from warehouse.cold_reading import FOREIGN, MANIFEST, MISSING, ROWS, SCHEMA, DamagedError, Finding
from warehouse.cold_store import MANIFEST as MANIFEST_FILE
from warehouse.cold_store import GoneError, Store
from warehouse.on_use import OnUse
from warehouse.progress import Progress, Told, nobody

if TYPE_CHECKING:
    import pyarrow as pa
else:
    pa = OnUse("pyarrow")

_FOOTER = re.compile(rb'\{"file": (\d+), "set": "([0-9a-f-]{36})", "table": "([a-z0-9_]+)"\}')
_TAIL_BYTES = 1 << 20


@dataclass(frozen=True)
class Known:
    """What the catalogue says of a part; a part that it does not know is judged by its manifest alone."""

    manifest_sha256: str
    rows: int
    checksum: str
    fingerprint: str


@dataclass(frozen=True)
class Verdict:
    """`manifest` is None where there is none to be trusted; `bytes` were read."""

    set_id: UUID
    table: str
    manifest: Manifest | None
    findings: tuple[Finding, ...]
    bytes: int

    @property
    def holds(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        return {
            "set": str(self.set_id),
            "table": self.table,
            "holds": self.holds,
            "files": len(self.manifest.files) if self.manifest else 0,
            "rows": self.manifest.rows if self.manifest else None,
            "bytes": self.bytes,
            "findings": [{"verdict": f.verdict, "where": f.where, "told": f.told} for f in self.findings],
        }


def verify(
    store: Store, secrets: Secrets, set_id: UUID, table: str, *, known: Known | None = None, told: Told = nobody
) -> Verdict:
    """Read everything once. Raises StoreError, UnreachableStoreError, and what `told` raises."""
    try:
        manifest, sha256 = cold_manifest.read(store, set_id, table, secrets)
    except GoneError:
        return _without(set_id, table, Finding(MISSING, MANIFEST_FILE, "there is no manifest"))
    except ManifestError as error:
        return _without(set_id, table, Finding(MANIFEST, MANIFEST_FILE, str(error)))
    if known and (said := _other_than(known, manifest, sha256)):
        return _without(set_id, table, Finding(MANIFEST, MANIFEST_FILE, said))
    found, size = list(_not_listed(store, manifest)), 0
    for number, entry in enumerate(manifest.files, start=1):
        told(Progress(f"verify stg.{table}", number - 1, len(manifest.files), 0, size, manifest.size))
        found += _file(store, manifest, entry, number)
        size += entry.bytes
    if manifest.keys:
        found += _keys(store, manifest, manifest.keys)
    if sum(entry.rows for entry in manifest.files) != manifest.rows:
        found.append(Finding(ROWS, MANIFEST_FILE, "its files' rows do not add up to its rows"))
    return Verdict(set_id, table, manifest, tuple(found), size)


def demand(
    store: Store, secrets: Secrets, set_id: UUID, table: str, *, known: Known | None = None, told: Told = nobody
) -> Manifest:
    """The manifest of a part that holds. Raises DamagedError, StoreError, UnreachableStoreError."""
    found = verify(store, secrets, set_id, table, known=known, told=told)
    if found.manifest is None or not found.holds:
        raise DamagedError(list(found.findings))
    return found.manifest


def _without(set_id: UUID, table: str, finding: Finding) -> Verdict:
    return Verdict(set_id, table, None, (finding,), 0)


def _other_than(known: Known, manifest: Manifest, sha256: str) -> str:
    if (manifest.rows, manifest.checksum, manifest.fingerprint) != (known.rows, known.checksum, known.fingerprint):
        return "the manifest speaks of other rows than the catalogue"
    if sha256 != known.manifest_sha256:
        return "the manifest is another one than the catalogue knows"
    return ""


def _not_listed(store: Store, manifest: Manifest) -> Iterator[Finding]:
    listed = {entry.name for entry in manifest.files} | ({manifest.keys.name} if manifest.keys else set())
    for item in store.listing(manifest.folder):
        name = item.name.removeprefix(f"{manifest.folder}/")
        if name not in listed:
            yield Finding(FOREIGN, name, "a file that the manifest does not name")


def _file(store: Store, manifest: Manifest, entry: FileEntry, number: int) -> list[Finding]:
    name = f"{manifest.folder}/{entry.name}"
    try:
        with cold_reading.checked(store, name, entry) as path:
            return list(_inside(path, manifest, entry))
    except DamagedError as error:
        if error.findings[0].verdict != MISSING and (whose := _of_another(store, name, manifest, number)):
            return [Finding(FOREIGN, entry.name, whose)]
        return error.findings


def _inside(path: str, manifest: Manifest, entry: FileEntry) -> Iterator[Finding]:
    """Of a file whose bytes are those that were written."""
    try:
        schema, rows = cold_reading.footer(path)
    except (OSError, pa.ArrowException):
        yield Finding(SCHEMA, entry.name, "it is no Parquet file")
        return
    said = cold_columns.footer_of(schema)
    if (said.get("set"), said.get("table")) != (str(manifest.set_id), manifest.table):
        yield Finding(FOREIGN, entry.name, "it says that it belongs to another part")
    if not schema.remove_metadata().equals(cold_columns.schema(manifest.columns, {}).remove_metadata()):
        yield Finding(SCHEMA, entry.name, "its columns are not those of the manifest")
    if rows != entry.rows:
        yield Finding(ROWS, entry.name, f"{rows:,} rows instead of {entry.rows:,}")


def _of_another(store: Store, name: str, manifest: Manifest, number: int) -> str:
    """To whom a file says that it belongs, if not here; it stands near its end in clear, so nothing is parsed."""
    with store.open(name) as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - _TAIL_BYTES))
        found = _FOOTER.search(stream.read())
    if found is None:
        return ""
    said = (int(found[1]), found[2].decode(), found[3].decode())
    if said == (number, str(manifest.set_id), manifest.table):
        return ""
    return f"it is file {said[0]} of {said[2]} in set {said[1]}"


def _keys(store: Store, manifest: Manifest, keys: KeyFilter) -> list[Finding]:
    try:
        with cold_reading.checked(store, f"{manifest.folder}/{keys.name}", keys):
            return []
    except DamagedError as error:
        return error.findings
