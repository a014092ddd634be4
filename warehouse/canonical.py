"""What a delivered file says, apart from how it is written: line ends, quoting, byte order mark and encoding are gone.

Two files of the same canonical content put the same records into raw, in the same order. Files of the same multiset
hold the same records in some order; that is the same to staging unless a natural key occurs twice in the file.
"""

import hashlib
from dataclasses import dataclass, field

from warehouse import wire
from warehouse.registry import Extract
from warehouse.wire import Malformed, Readable

_WRAP = 1 << 128


@dataclass(frozen=True)
class Canonical:
    """`ordered`: SHA-256 over the records in their order. `multiset`: the same for any order; both hexadecimal."""

    ordered: str
    multiset: str


@dataclass
class Seal:
    """Takes records as they stream by; 128 bits of each, 3 µs for one of 220 columns."""

    _order: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    _sum: int = 0

    def add(self, joined: str) -> None:
        """A record that can be kept, as its fields with NUL between them."""
        self._take(joined.encode())

    def refuse(self, reason: str) -> None:
        """A record that cannot be kept, which is part of what the file says too."""
        self._take(b"\0\0" + reason.encode("utf-8", "replace"))

    def _take(self, said: bytes) -> None:
        digest = hashlib.blake2b(said, digest_size=16).digest()
        self._order.update(digest)
        self._sum += int.from_bytes(digest, "big")

    @property
    def canonical(self) -> Canonical:
        return Canonical(self._order.hexdigest(), f"{self._sum % _WRAP:032x}")


NOTHING = Seal().canonical


def of_stream(stream: Readable, extract: Extract) -> Canonical:
    """Read the whole stream. Raises UnreadableFileError."""
    seal = Seal()
    for record in wire.records(stream, extract):
        if isinstance(record, Malformed):
            seal.refuse(record.reason)
        else:
            seal.add(record.joined)
    return seal.canonical
