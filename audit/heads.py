"""Where the heads of the sealed trail go outside of the database, so that who rewrites the database is found out.

A local folder has one file, `heads.jsonl`, that is only added to; any other fsspec URL gets one object a seal. A place
that cannot be reached is tried again with the next seal: what it lacks is sent then.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import fsspec

from audit.leaves import Ranges
from audit.models import Seal


@dataclass(frozen=True)
class Head:
    """A line of a place: enough to tell which events a seal was about."""

    number: int
    head: str
    ranges: Ranges
    at: str

    @classmethod
    def of(cls, seal: Seal) -> "Head":
        return cls(seal.number, seal.head, seal.ranges, seal.at.isoformat())


def read(place: str) -> list[Head]:
    """What a place holds, by number. Raises OSError where it cannot be read, ValueError where it is no such place."""
    folder = _local(place)
    if folder is not None:
        file = folder / "heads.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
    else:
        store, root = fsspec.core.url_to_fs(place)
        names = sorted(store.glob(f"{root.rstrip('/')}/seal-*.json"))
        lines = [store.cat_file(name).decode() for name in names]
    return sorted((Head(**json.loads(line)) for line in lines), key=lambda found: found.number)


def send(place: str, heads: list[Head]) -> None:
    """Add heads to a place; they are on its disk when this returns. Raises OSError."""
    folder = _local(place)
    if folder is None:
        store, root = fsspec.core.url_to_fs(place)
        for found in heads:
            store.pipe_file(f"{root.rstrip('/')}/seal-{found.number:012d}.json", json.dumps(asdict(found)).encode())
        return
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "heads.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, "".join(json.dumps(asdict(found)) + "\n" for found in heads).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _local(place: str) -> Path | None:
    parts = urlsplit(place)
    if parts.scheme in ("", "file"):
        return Path(parts.path)
    return None
