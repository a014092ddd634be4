"""Reads the files of a cold archive: each is what its manifest says before anything of it is believed."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse import cold_columns
from warehouse.cold_manifest import FileEntry, KeyFilter
from warehouse.cold_store import BLOCK_BYTES, GoneError, Store
from warehouse.cold_tally import Tally
from warehouse.errors import TellableError
from warehouse.on_use import OnUse

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = OnUse("pyarrow")
    pq = OnUse("pyarrow.parquet")

# The verdicts, each for itself, in the order in which they are looked for.
MANIFEST, MISSING, FOREIGN, SIZE, SHA256, SCHEMA, ROWS, CHECKSUM = VERDICTS = (
    *("manifest", "missing", "foreign", "size", "sha256", "schema", "rows", "checksum"),
)


@dataclass(frozen=True)
class Finding:
    """One point in which an archive is not what it should be."""

    verdict: str
    where: str
    told: str


class DamagedError(TellableError):
    """The archive is not what was written. Nothing of it was used."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        said = "; ".join(f"{found.where}: {found.told}" for found in findings[:3])
        more = f"; and {len(findings) - 3} more" if len(findings) > 3 else ""
        super().__init__(f"The cold archive is damaged. {said}{more}. Nothing was written.")


@contextmanager
def checked(store: Store, name: str, entry: FileEntry | KeyFilter) -> Iterator[str]:
    """A path of this machine under which the file can be read, of the size and the SHA-256 that are told of it.

    A remote file is fetched once. Raises DamagedError, StoreError, UnreachableStoreError.
    """
    try:
        if store.local:
            with store.open(name) as stream:
                _compare(entry, *_measured(stream.read))
            yield store.path(name)
        else:
            with tempfile.NamedTemporaryFile(prefix="restage-cold-") as spool, store.open(name) as stream:

                def block(size: int) -> bytes:
                    found = stream.read(size)
                    spool.write(found)
                    return found

                _compare(entry, *_measured(block))
                spool.flush()
                yield spool.name
    except GoneError:
        raise DamagedError([Finding(MISSING, entry.name, "the file is not there")]) from None


def _measured(read: Callable[[int], bytes]) -> tuple[int, str]:
    made, size = hashlib.sha256(), 0
    while block := read(BLOCK_BYTES):
        made.update(block)
        size += len(block)
    return size, made.hexdigest()


def _compare(entry: FileEntry | KeyFilter, size: int, sha256: str) -> None:
    if size != entry.bytes:
        raise DamagedError([Finding(SIZE, entry.name, f"{size:,} bytes instead of {entry.bytes:,}")])
    if sha256 != entry.sha256:
        raise DamagedError([Finding(SHA256, entry.name, "its bytes are not those that were written")])


def row_groups(path: str) -> Iterator[pa.Table]:
    """The rows of a file that was checked, some ten megabytes at a time; the next ones are read meanwhile."""
    cold_columns.spare_memory()
    with pq.ParquetFile(path) as file, ThreadPoolExecutor(1, "row groups") as ahead:
        count = file.num_row_groups
        if not count:
            return
        following = ahead.submit(file.read_row_group, 0)
        for number in range(1, count):
            found, following = following.result(), ahead.submit(file.read_row_group, number)
            yield found
        yield following.result()


def tally(path: str) -> Tally:
    """What the rows of a file come to: every page of it is decoded."""
    found = Tally()
    for table in row_groups(path):
        found.add(table)
    return found


def footer(path: str | Path) -> tuple[pa.Schema, int]:
    """Schema and rows as the file's own footer says. Raises OSError, pa.ArrowInvalid where it is no Parquet file."""
    with pq.ParquetFile(path) as file:
        return file.schema_arrow, file.metadata.num_rows
