"""A throw-away server: started from a copy, recovered to a moment, read, stopped, removed; whatever happens meanwhile.

Recovery ends at the target: transactions that were open there are undone and their locks gone (a server that is paused
just before the commit of a TRUNCATE keeps its lock, and nobody can read the table). After that it takes no write and
keeps no WAL. It listens on a socket in a folder of its own only. Who uses it holds the lock of its folder (the kernel
lets go of it however the process ends), so that reap() finds what a kill -9 left.
"""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import make_conninfo

from recovery import processes
from recovery.errors import CannotRecoverError, ThrowawayLostError
from recovery.processes import Alive, nobody_waits
from recovery.repositories import Repository, Target

STOP_SECONDS = 20.0
POLL_SECONDS = 0.1
WATCHED = "template1"  # every server has it, at every moment
PORT = 5432  # of the socket's name; nothing listens on the network
# What a standby must not have less of than the server that wrote its WAL: (setting, as pg_controldata calls it).
_AS_BEFORE = (
    ("max_connections", "max_connections setting"),
    ("max_worker_processes", "max_worker_processes setting"),
    ("max_wal_senders", "max_wal_senders setting"),
    ("max_prepared_transactions", "max_prepared_xacts setting"),
    ("max_locks_per_transaction", "max_locks_per_xact setting"),
)
_FIXED = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    "archive_mode": "off",
    "hot_standby": "on",
    "recovery_target_action": "promote",
    "default_transaction_read_only": "on",
    "autovacuum": "off",
    "primary_conninfo": "",
    "shared_buffers": "64MB",
    "shared_preload_libraries": "",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_statement": "none",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


@dataclass(frozen=True)
class Throwaway:
    """A recovered server. `socket`: its folder. `reached`: the last commit that it holds (None: none yet)."""

    socket: Path
    pid: int
    reached: datetime | None

    @contextmanager
    def connect(self, database: str, user: str) -> Iterator[psycopg.Connection]:
        """A connection that can only read. Raises ThrowawayLostError where the server ends meanwhile."""
        conninfo = make_conninfo(host=str(self.socket), port=PORT, dbname=database, user=user, connect_timeout=10)
        try:
            with psycopg.connect(conninfo, autocommit=True, application_name="restage recovery") as connection:
                yield connection
        except psycopg.OperationalError as error:
            if "does not exist" in str(error):
                raise CannotRecoverError(
                    f"The database {database}, or its role {user}, was not there at that moment. Nothing was changed;"
                    " choose a later moment."
                ) from error
            if error.sqlstate and not error.sqlstate.startswith(("08", "57P")):
                raise
            raise ThrowawayLostError(
                "The throw-away server ended while it was read. Nothing was changed; it is tried again."
            ) from error


@contextmanager
def recovered(
    repository: Repository,
    target: Target,
    *,
    folder: Path,
    name: str,
    user: str,
    alive: Alive = nobody_waits,
) -> Iterator[Throwaway]:
    """Recover a copy to the target and give it; it is gone afterwards.

    `user`: the role by which its start is watched. Raises CannotRecoverError, ThrowawayLostError, and what `alive`
    raises, which is called about every 100 ms until it is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reap(folder)
    with _place(folder, name) as place:
        data = place / "data"
        data.mkdir(mode=0o700)
        restore_command = repository.put(target, data, alive)
        _fit(repository.binaries, data)
        server = _start(repository.binaries, place, data, {**target.settings, "restore_command": restore_command})
        try:
            socket = Path((place / "socket").read_text())
            reached = _wait(server, socket, user, alive)
            if server.poll() is not None:
                why = repository.why_not_reached(target)
                raise CannotRecoverError(why or _why(place / "log", target))
            yield Throwaway(socket, server.pid, reached)
        finally:
            _stop(server)


def reap(folder: Path) -> list[str]:
    """Stop and remove what nobody uses any more; the names."""
    reaped = []
    for lock in sorted(folder.glob("*.lock")):
        with suppress(FileNotFoundError), lock.open("r+") as handle:
            if _take(handle):
                _remove(lock.with_suffix(""))
                lock.unlink(missing_ok=True)
                reaped.append(lock.stem)
    return reaped


@contextmanager
def _place(folder: Path, name: str) -> Iterator[Path]:
    """A folder of our own under a lock of our own; both are gone afterwards."""
    place = folder / f"{name}-{secrets.token_hex(4)}"
    lock = folder / f"{place.name}.lock"
    with _own(lock):
        try:
            place.mkdir(mode=0o711)
            sockets = Path(tempfile.mkdtemp(prefix="restage-"))  # a socket's path holds no more than 107 characters
            processes.give_to_server(sockets)
            (place / "socket").write_text(str(sockets))
            yield place
        finally:
            _remove(place)
            lock.unlink(missing_ok=True)


@contextmanager
def _own(lock: Path) -> Iterator[None]:
    """Make the lock and hold it. One that reap() took away between the two is made once more."""
    while True:
        with lock.open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if lock.exists() and os.fstat(handle.fileno()).st_ino == lock.stat().st_ino:
                yield
                return


def _take(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _fit(binaries: Path, data: Path) -> None:
    """Make a copy fit for recovery. Raises CannotRecoverError where another version made it."""
    made, ours = int((data / "PG_VERSION").read_text().split(".")[0]), processes.major_version(binaries)
    if made != ours:
        raise CannotRecoverError(
            f"The copy is of PostgreSQL {made} and the programs here are of {ours}. Nothing was changed; set"
            f" RESTAGE_POSTGRES_BIN to the folder of PostgreSQL {made}'s programs."
        )
    for leftover in ("postmaster.pid", "standby.signal"):
        (data / leftover).unlink(missing_ok=True)
    (data / "recovery.signal").touch()
    processes.give_to_server(data)
    data.chmod(0o700)


def _start(binaries: Path, place: Path, data: Path, target: dict[str, str]) -> "subprocess.Popen[bytes]":
    control = processes.control_data(binaries, data)
    config, hba = data / "restage.conf", data / "restage_hba.conf"
    config.write_text("")
    hba.write_text("local all all trust\n")
    settings = {
        **_FIXED,
        **{setting: control[name] for setting, name in _AS_BEFORE if name in control},
        "unix_socket_directories": (place / "socket").read_text(),
        "hba_file": str(hba),
        "config_file": str(config),
        **target,
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (place / "log").open("w") as log:
        return subprocess.Popen(
            [str(binaries / "postgres"), "-D", str(data), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=data,
            start_new_session=True,
            preexec_fn=processes.as_server(data),
        )


def _wait(server: "subprocess.Popen[bytes]", socket: Path, user: str, alive: Alive) -> datetime | None:
    """Return once it is at the target and out of recovery, or has ended."""
    conninfo = make_conninfo(host=str(socket), port=PORT, dbname=WATCHED, user=user, connect_timeout=10)
    while server.poll() is None:
        alive()
        with suppress(psycopg.OperationalError), psycopg.connect(conninfo, autocommit=True) as connection:
            while True:
                alive()
                recovering, reached = connection.execute(
                    "SELECT pg_is_in_recovery(), pg_last_xact_replay_timestamp()"
                ).fetchone() or (True, None)
                if not recovering:
                    return reached if isinstance(reached, datetime) else None
                time.sleep(POLL_SECONDS)
        time.sleep(POLL_SECONDS)
    return None


def _why(log: Path, target: Target) -> str:
    """Why the server ended before it was there, in words; its log holds no row."""
    said = log.read_text(errors="replace")
    if "recovery ended before configured recovery target was reached" in said:
        return (
            f"The WAL that is kept ends before {target}: a segment is missing, is damaged, or is not kept yet. Nothing"
            " was changed; choose an earlier moment, or ask again when the server has kept its newest WAL."
        )
    if "before consistent recovery point" in said:
        return (
            f"The copy itself was not finished at {target}. Nothing was changed; choose a later moment, or an older"
            " copy."
        )
    fatal = [line.split("FATAL:", 1)[1].strip() for line in said.splitlines() if "FATAL:" in line]
    return f"The throw-away server did not start: {(fatal or ['it said nothing'])[-1]}. Nothing was changed."


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """At once: nothing of it is kept."""
    if server.poll() is None:
        server.send_signal(signal.SIGQUIT)
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _remove(place: Path) -> None:
    """End a server that still runs there, and remove everything of it."""
    with suppress(OSError, ValueError, IndexError):
        _end(int((place / "data" / "postmaster.pid").read_text().splitlines()[0]), place)
    with suppress(OSError):
        shutil.rmtree((place / "socket").read_text(), ignore_errors=True)
    shutil.rmtree(place, ignore_errors=True)


def _end(pid: int, place: Path) -> None:
    """End the server `pid` if it is the one of `place`: numbers are used again."""
    end = time.monotonic() + STOP_SECONDS
    while _is_server(pid, place):
        os.kill(pid, signal.SIGQUIT if time.monotonic() < end else signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _is_server(pid: int, place: Path) -> bool:
    """Whether process `pid` runs the server of `place`. A zombie has no command line any more."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return str(place).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False
    _code, printed = processes.run_short(["ps", "-o", "command=", "-p", str(pid)])
    return str(place) in printed
