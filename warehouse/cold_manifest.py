"""The manifest of a cold archive: what a part's files hold, signed; enough to restore it without any database.

A part is archived when, and only when, its manifest is in the store. docs/cold_archives.md explains every field.
"""

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from warehouse import cold_store
from warehouse.cold_store import Store
from warehouse.errors import TellableError

FORMAT = "restage cold archive 1"
TOOL = "Restage 0.1.0"
ALGORITHM = "HMAC-SHA256"


class ManifestError(TellableError):
    """There is no manifest that can be trusted; the message says in what it fails."""


@dataclass(frozen=True)
class Secrets:
    """Keys made from the installation's secret: the first signs and hides keys, all verify (former ones too)."""

    known: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def of(cls, *secrets: str) -> "Secrets":
        return cls(tuple(_derived(secret.encode(), b"restage cold manifest") for secret in secrets))

    def sign(self, content: bytes) -> dict[str, str]:
        return {"algorithm": ALGORITHM, "key": _name(self.known[0]), "value": _signature(self.known[0], content)}

    def holds(self, seal: dict[str, Any], content: bytes) -> bool:
        """Raises ManifestError where no key of ours has made the seal."""
        for key in self.known:
            if _name(key) == seal.get("key"):
                return hmac.compare_digest(_signature(key, content), str(seal.get("value")))
        raise ManifestError(
            "Its manifest is signed with a key that this installation does not have: RESTAGE_SECRET_KEY is another"
            " one than when it was written."
        )

    def for_keys(self, of: str = "") -> bytes:
        """With which the keys of a part are hidden that was signed with the key of that name, or is signed now."""
        key = next((key for key in self.known if _name(key) == of), self.known[0])
        return _derived(key, b"restage natural keys")


@dataclass(frozen=True)
class FileEntry:
    """`sha256` of the bytes in hexadecimal."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class KeyFilter:
    """The file of cold_keys: hashes of these columns."""

    name: str
    columns: tuple[str, ...]
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """One part of a set. `written` names the folder of the files, next to the manifest; `archived`: what the catalogue
    says of the set; `sources`: the delivered files that the rows came from."""

    set_id: UUID
    load_run_id: UUID
    table: str
    version: int
    rows: int
    loaded: int | None
    hot_bytes: int
    checksum: str
    hashed: dict[str, list[str]]
    columns: list[dict[str, Any]]
    fingerprint: str
    statistics: dict[str, dict[str, Any]]
    written: str
    written_at: str
    written_by: str
    archived: dict[str, Any]
    files: tuple[FileEntry, ...]
    keys: KeyFilter | None
    sources: list[dict[str, Any]]
    holds: list[dict[str, Any]]
    format: str = FORMAT
    tool: str = TOOL
    signed_with: str = ""

    @property
    def folder(self) -> str:
        """Of its files, below the store's root."""
        return f"{cold_store.folder_of(self.set_id, self.table)}/{self.written}"

    @property
    def name(self) -> str:
        return cold_store.manifest_of(self.set_id, self.table)

    @property
    def size(self) -> int:
        """Of all its files, in bytes."""
        return sum(entry.bytes for entry in self.files) + (self.keys.bytes if self.keys else 0)

    def catalogued(self, sha256: str) -> dict[str, Any]:
        """What the catalogue keeps of it; `sha256` is that of the manifest's file."""
        return {
            "manifest": self.name,
            "sha256": sha256,
            "bytes": self.size,
            "files": len(self.files),
            "written_at": self.written_at,
        }

    def sealed(self, secrets: Secrets) -> bytes:
        """As it lies in the store."""
        said = {name: value for name, value in asdict(self).items() if name != "signed_with"}
        said = json.loads(json.dumps(said, default=str))
        return _rendered({**said, "seal": secrets.sign(_canonical(said))})


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(store: Store, set_id: UUID, table: str, secrets: Secrets) -> tuple[Manifest, str]:
    """The manifest of a part with the SHA-256 of its file. Raises ManifestError, GoneError, StoreError."""
    content = store.read(cold_store.manifest_of(set_id, table))
    found = parse(content, secrets)
    if (found.set_id, found.table) != (set_id, table):
        raise ManifestError(f"The manifest in its place is the one of another part: {found.table} of {found.set_id}.")
    return found, digest(content)


def parse(content: bytes, secrets: Secrets) -> Manifest:
    """Raises ManifestError for whatever is not, byte by byte, what was sealed."""
    try:
        said = json.loads(content)
        whole = content == _rendered(said)
        seal = dict(said.pop("seal"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ManifestError("Its manifest is not one of Restage's, or not whole.") from None
    if not whole or not secrets.holds(seal, _canonical(said)):
        raise ManifestError("Its manifest was changed after it was sealed.")
    if said.get("format") != FORMAT:
        raise ManifestError(f"Its manifest is of the format {said.get('format')}; this version reads {FORMAT}.")
    return _made(said, str(seal["key"]))


def _made(said: dict[str, Any], signed_with: str) -> Manifest:
    keys = said.pop("keys")
    return Manifest(
        **{
            **said,
            "set_id": UUID(said["set_id"]),
            "load_run_id": UUID(said["load_run_id"]),
            "files": tuple(FileEntry(**entry) for entry in said["files"]),
            "keys": KeyFilter(**{**keys, "columns": tuple(keys["columns"])}) if keys else None,
            "signed_with": signed_with,
        }
    )


def _rendered(said: dict[str, Any]) -> bytes:
    return json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"


def _canonical(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return hmac.new(secret, purpose, hashlib.sha256).digest()


def _name(key: bytes) -> str:
    """Tells keys apart and says nothing of them."""
    return hashlib.sha256(b"name of " + key).hexdigest()[:16]


def _signature(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()
