"""How the programs of PostgreSQL are run: the server never as root, and nothing longer than whoever started it."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534
POLL_SECONDS = 0.2

Alive = Callable[[], None]


def nobody_waits() -> None:
    """For work that nobody watches."""


def as_server(data: Path) -> Callable[[], None]:
    """What a child does before it becomes the server of `data`: never run as root, and die with its parent."""
    libc = ctypes.CDLL(None, use_errno=True)
    root, mapped = os.geteuid() == 0, data.exists() and os.stat(data).st_uid == 0

    def prepare() -> None:
        if root and mapped:
            libc.unshare(CLONE_NEWUSER)
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{NOBODY} 0 1")
            Path("/proc/self/gid_map").write_text(f"{NOBODY} 0 1")
        elif root:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        if sys.platform == "linux":
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)

    return prepare


def can_map_user() -> bool:
    """Whether this kernel lets root step into a user namespace (many containers forbid it)."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        os._exit(0 if ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def give_to_server(folder: Path) -> None:
    """Let the server own a folder that it is to write: only where root has to run it as another user."""
    if os.geteuid() != 0 or can_map_user():
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def run(command: list[str], *, alive: Alive = nobody_waits, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a program to its end; its exit code and what it printed, as far as the last 2,000 characters.

    `alive` is called while it runs: what it raises ends the program and everything that it started.
    """
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            start_new_session=True,
            preexec_fn=_die_with_parent(),
        )
        try:
            while process.poll() is None:
                alive()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        printed.seek(0)
        return process.returncode, printed.read().decode(errors="replace").strip()[-2000:]


def _die_with_parent() -> Callable[[], None]:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare() -> None:
        if libc:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return prepare


def control_data(binaries: Path, data: Path) -> dict[str, str]:
    """What pg_controldata says of a cluster: name → value. Raises OSError where it cannot be read."""
    code, printed = run_short([str(binaries / "pg_controldata"), "-D", str(data)])
    if code:
        raise OSError(f"pg_controldata could not read the cluster: {printed}")
    pairs = (line.split(":", 1) for line in printed.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def major_version(binaries: Path) -> int:
    """The major version of the server in `binaries`."""
    _code, printed = run_short([str(binaries / "postgres"), "--version"])
    return int(printed.split()[2].split(".")[0].removesuffix("devel"))


def run_short(command: list[str]) -> tuple[int, str]:
    """Run what takes no time: exit code, and all that it printed on standard output."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return done.returncode, done.stdout
