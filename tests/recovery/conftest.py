"""A server of our own that keeps its WAL, once for all tests of recovery: started, adopted, stopped, removed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from config import embedded
from jobs import claims
from recovery.backups import BaseBackup, Folder
from tests.house import House
from warehouse import adoption, registry

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


@pytest.fixture(scope="session")
def backup(kept: Kept) -> BaseBackup:
    """From before anything happens in any test."""
    return kept.folder.take(kept.url(), label="first")


@pytest.fixture(scope="session")
def kept_template(kept: Kept, extracts: registry.Registry) -> str:
    with psycopg.connect(kept.url("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE template_warehouse")
    with psycopg.connect(kept.url("template_warehouse"), autocommit=True) as connection:
        adoption.apply(connection, extracts)
    return "template_warehouse"


@pytest.fixture
def warehouse_url(kept: Kept, kept_template: str, backup: BaseBackup) -> Iterator[str]:
    """A warehouse on the server that keeps its WAL: the console of these tests has it for its own."""
    name = sql.Identifier(f"test_{uuid4().hex[:12]}")
    with psycopg.connect(kept.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(kept_template)))
        yield kept.url(name.as_string().strip('"'))
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def recoverable(console: House, kept: Kept, settings, tmp_path: Path, monkeypatch) -> House:
    """The console, set up with the server's own backups.

    The lease is renewed by a connection of its own, which cannot see the job in the transaction of a test: not in the
    time of a slow recovery either.
    """
    monkeypatch.setattr(claims, "BEAT_SECONDS", 300.0)
    settings.BACKUPS, settings.BINARIES = str(kept.folder.path), str(kept.folder.binaries)
    settings.RECOVERED = str(tmp_path / "recovered")
    return console
