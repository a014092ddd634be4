"""Where delivered files lie: a local folder or any fsspec URL, and what a file's content is."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

import fsspec

from warehouse.errors import TellableError

BLOCK_BYTES = 1 << 20


class MissingFileError(TellableError):
    """The file is not (any more) where it was delivered."""


@dataclass(frozen=True)
class Content:
    """What a file holds: `sha256` of its bytes in hexadecimal, and their number."""

    sha256: str
    size: int


class Measured:
    """A stream that knows what has been read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._digest, self._size = stream, hashlib.sha256(), 0

    def read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._digest.update(block)
        self._size += len(block)
        return block

    @property
    def size(self) -> int:
        """Bytes read so far."""
        return self._size

    @property
    def content(self) -> Content:
        return Content(self._digest.hexdigest(), self._size)


@dataclass(frozen=True)
class Address:
    """A delivered file: `folder` is an absolute path or URL, `key` its name below it."""

    folder: str
    key: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.key).name

    @property
    def url(self) -> str:
        return f"{self.folder.rstrip('/')}/{self.key}"

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """The file's bytes as a stream. Raises MissingFileError, or OSError for what else stands in the way."""
        try:
            with fsspec.open(self.url, "rb") as stream:
                yield stream
        except FileNotFoundError as error:
            raise MissingFileError(f"{self.key} is not in {self.folder} any more.") from error

    def content(self) -> Content:
        """Read the file once. Raises MissingFileError, OSError."""
        with self.open() as stream:
            measured = Measured(stream)
            while measured.read(BLOCK_BYTES):
                pass
        return measured.content


def listing(folder: str) -> list[Address]:
    """Every file below the folder, by name. Raises MissingFileError where there is no such folder."""
    system, path = fsspec.url_to_fs(folder)
    if not system.isdir(path):
        raise MissingFileError(f"There is no folder {folder}.")
    root = system.unstrip_protocol(path) if "://" in folder else path
    found = sorted(system.find(path))
    return [Address(root, name.removeprefix(path).lstrip("/")) for name in found]
