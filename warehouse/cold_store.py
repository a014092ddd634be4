"""Where cold archives lie: a folder or any fsspec URL, as names below it; written aside, then placed, then sealed.

    sets/<set>/<table>/manifest.json      exists: the part is archived; written once, never over another
    sets/<set>/<table>/<writing>/…        the files that a manifest names; without a manifest they are nothing
    aside/<writing>/…                     what is being written (a folder only: an object store shows a file once it is
                                          whole, so there it is written in its place)

A folder must lie on a file system with hard links.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import fsspec
from fsspec.implementations.local import LocalFileSystem

from warehouse.errors import PassingError, TellableError

MANIFEST = "manifest.json"
BLOCK_BYTES = 1 << 20
PART_BYTES = 8 << 20  # of a multipart upload; what is kept in memory of one
LARGEST_MANIFEST = 64 << 20
# What object stores are spoken to with; some of their errors are no OSError.
_LIBRARIES = frozenset({"botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "google", "adlfs", "azure"})


class StoreError(TellableError):
    """The store refuses; the message says what it means for the data."""


class UnreachableStoreError(PassingError):
    """The store does not answer."""


class SealedAlreadyError(TellableError):
    """There is a manifest of that name; it was not touched."""


class GoneError(TellableError):
    """There is no file of that name in the store."""


@dataclass(frozen=True)
class Item:
    """A file of the store: its name below the root, bytes, and when it was written last."""

    name: str
    size: int
    modified: datetime


def folder_of(set_id: UUID, table: str) -> str:
    return f"sets/{set_id}/{table}"


def manifest_of(set_id: UUID, table: str) -> str:
    return f"{folder_of(set_id, table)}/{MANIFEST}"


class Store:
    """`local`: the files lie in a folder of this machine."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._system, root = fsspec.url_to_fs(url)
        self._root = str(root).rstrip("/")
        self.local = isinstance(self._system, LocalFileSystem)

    def path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def aside(self, writing: str, name: str, folder: str) -> str:
        """Under which name a file is written that will be `<folder>/<writing>/<name>`."""
        return f"aside/{writing}/{name}" if self.local else f"{folder}/{writing}/{name}"

    @contextmanager
    def create(self, name: str) -> Iterator[IO[bytes]]:
        """A new file; at the end of the block it is on the disk, or there is an error. Raises StoreError."""
        with _told():
            if self.local:
                path = Path(self.path(name))
                _make_folder(path.parent, Path(self._root))
                with path.open("xb", buffering=BLOCK_BYTES) as stream:
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
                    os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # it is read from the disk again
                _sync_folder(path.parent)
            else:
                with self._system.open(self.path(name), "wb", block_size=PART_BYTES) as stream:
                    yield stream

    def place(self, aside: str, name: str) -> None:
        """Give a file that was written aside its name. Raises StoreError."""
        if aside == name:
            return
        with _told():
            path = Path(self.path(name))
            _make_folder(path.parent, Path(self._root))
            Path(self.path(aside)).rename(path)
            _sync_folder(path.parent)

    def seal(self, name: str, content: bytes) -> None:
        """Write a small file whole, once and for all. Raises SealedAlreadyError, StoreError."""
        try:
            with _told():
                if self.local:
                    self._link(name, content)
                elif "s3" in self._protocols:
                    self._system.pipe_file(self.path(name), content, mode="create")
                elif self._system.exists(self.path(name)):
                    raise FileExistsError(name)
                else:
                    self._system.pipe_file(self.path(name), content)
        except FileExistsError:
            raise SealedAlreadyError(f"{name} is there already. It was not touched.") from None

    def _link(self, name: str, content: bytes) -> None:
        """A hard link appears whole or not at all, and over nothing."""
        path = Path(self.path(name))
        _make_folder(path.parent, Path(self._root))
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".sealing-") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
            os.link(stream.name, path)
        _sync_folder(path.parent)

    @property
    def _protocols(self) -> tuple[str, ...]:
        protocol = self._system.protocol
        return (protocol,) if isinstance(protocol, str) else tuple(protocol)

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """The bytes of a file. Raises GoneError, StoreError, UnreachableStoreError."""
        with _told(), self._system.open(self.path(name), "rb") as stream:
            yield stream

    def read(self, name: str) -> bytes:
        """A small file. Raises GoneError, StoreError."""
        with self.open(name) as stream:
            found = stream.read(LARGEST_MANIFEST + 1)
        if len(found) > LARGEST_MANIFEST:
            raise StoreError(f"{name} is larger than {LARGEST_MANIFEST:,} bytes: it is none of Restage's files.")
        return found

    def listing(self, folder: str) -> list[Item]:
        """Every file below a folder, by name; none where there is no such folder."""
        with _told():
            self._system.invalidate_cache()
            found = self._system.find(self.path(folder), detail=True)
        start = len(self._root) + 1
        return [Item(path[start:], int(told.get("size") or 0), _modified(told)) for path, told in sorted(found.items())]

    def remove(self, name: str) -> None:
        """Remove a file, and of a folder what is left empty by that."""
        with _told(), suppress(FileNotFoundError):
            self._system.rm_file(self.path(name))
        self.leave(name.rpartition("/")[0])

    def leave(self, name: str) -> None:
        """Remove a folder that is empty, and those above it that are so then."""
        if self.local:
            folder = Path(self.path(name))
            with suppress(OSError):  # not empty
                while folder != Path(self._root):
                    folder.rmdir()
                    folder = folder.parent


def _modified(told: dict[str, Any]) -> datetime:
    found = told.get("LastModified") or told.get("mtime") or told.get("created")
    if isinstance(found, datetime):
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(found or 0), UTC)


def _make_folder(folder: Path, root: Path) -> None:
    """Make it, and have the disk know of each folder that was made."""
    made = []
    place = folder
    while not place.exists() and place != place.parent:
        made.append(place)
        place = place.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for one in made:
        _sync_folder(one.parent)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the store in our words; a library of a store raises errors of kinds that only it knows."""
    try:
        yield
    except (TellableError, FileExistsError):
        raise
    except FileNotFoundError as error:
        raise GoneError("The archive store does not have the file.") from error
    except (ConnectionError, TimeoutError) as error:
        raise UnreachableStoreError("The archive store does not answer.") from error
    except OSError as error:
        raise StoreError(f"The archive store refuses: {error.strerror or type(error).__name__}.") from error
    except Exception as error:
        kind = type(error)
        if kind.__module__.partition(".")[0] not in _LIBRARIES:
            raise
        if "Connect" in kind.__name__ or "Timeout" in kind.__name__:
            raise UnreachableStoreError("The archive store does not answer.") from error
        raise StoreError(f"The archive store refuses: {kind.__name__}.") from error
