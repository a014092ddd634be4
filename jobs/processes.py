"""Child processes that end with us: in a session of their own, told to stop when we die."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress

PR_SET_PDEATHSIG = 1


def start(command: list[str], *, cwd: str | None = None) -> "subprocess.Popen[bytes]":
    """Run it. A session of its own: a signal to our group must not reach its children, which could hang it.

    On Linux it gets SIGTERM when this process dies, however it dies.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_parent() -> None:
        if libc:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(command, cwd=cwd, start_new_session=True, preexec_fn=die_with_parent)


def stop(children: "list[subprocess.Popen[bytes]]", *, seconds: float) -> None:
    """SIGTERM to each one's main process only; what takes longer is killed with its whole group."""
    for child in children:
        child.terminate()
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        kill_group(child)
        child.wait()


def kill_group(child: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
