"""Whether the disk of the warehouse's server has room for a piece of work, asked before it begins."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psycopg

from warehouse.amounts import megabytes
from warehouse.errors import TellableError

# Of a byte of a delivered file there are, at most and at once: the raw record aside, the typed row aside, the raw
# record and its WAL, the staging row, its before-image and their WAL. Measured where every row changes: 8.5 for 26
# columns that all reach staging, 3.9 for 222 of which few do.
BYTES_A_BYTE = 9.0
SPARE = 2.0  # times the need must be free: a full disk does not come back by itself
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class NoRoomError(TellableError):
    """The disk is too small for the work. Nothing was begun."""


@dataclass(frozen=True)
class Room:
    """In bytes. `free` is None where the server is another machine, which only its own monitoring can see."""

    needed: int
    free: int | None


def demand(connection: psycopg.Connection, file_bytes: int) -> Room:
    """The room for reading files of so many bytes again. Raises NoRoomError."""
    found = Room(round(file_bytes * BYTES_A_BYTE), _free(connection))
    if found.free is not None and found.free < found.needed * SPARE:
        raise NoRoomError(
            f"The work needs about {megabytes(found.needed)} of the warehouse's disk and {SPARE:g} times that must be"
            f" free, but {megabytes(found.free)} are. Nothing was read and nothing changed; make room and ask again."
        )
    return found


def _free(connection: psycopg.Connection) -> int | None:
    known = disk(connection)
    return known[0] if known else None


def disk(connection: psycopg.Connection) -> tuple[int, int] | None:
    """Free and all bytes of the disk of the server's data; None where the server is another machine or keeps its
    folder to itself."""
    host = connection.info.host
    if host not in LOOPBACK and not host.startswith("/"):
        return None
    # a role that may not know it gets no row
    found = connection.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'").fetchone()
    folder = found[0] if found else None
    try:
        usage = shutil.disk_usage(Path(folder)) if folder else None
    except OSError:  # a container's or another user's folder
        return None
    return (usage.free, usage.total) if usage else None
