"""A server of our own that keeps its WAL, once for all tests of recovery: started, adopted, stopped, removed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from config import embedded
from recovery.backups import Folder

USER = """
import sys
from pathlib import Path
from config import embedded
embedded.use(Path(sys.argv[1]))
print("up", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Kept:
    """A server that keeps its WAL, and the folder where it does."""

    server: embedded.Server
    folder: Folder
    home: Path

    def url(self, database: str = "warehouse") -> str:
        return self.server.url(database)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    home = tmp_path_factory.mktemp("a home")
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "RESTAGE_BACKUPS": "on"},
    )
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    server = embedded.recorded(home)
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    yield Kept(server, Folder(server.backups(), Path(server.binaries)), home)
    process.send_signal(signal.SIGKILL)
    process.wait()
