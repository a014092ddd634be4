"""Where the tests' server lives: in memory where there is room, made for this run and gone with it.

Every test makes and drops databases of some hundred files. A file system on a disk takes longer for that than the
server takes for everything else.
"""

import fcntl
import json
import os
import re
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108  a folder of our own is made in it
ROOM = 2 << 30  # bytes; a run takes a tenth of it
PREFIX = f"restage-test-{os.getuid()}-"
LEFT_BEHIND_SECONDS = 3600.0
OURS = "RESTAGE_TEST_HOME"  # set for this process and its children where the home is gone with the run


def choose() -> Path:
    """A new folder in memory, or one of the checkout that is kept, for each PostgreSQL another."""
    if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= ROOM:
        _clear()
        os.environ[OURS] = tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY)
        return Path(os.environ[OURS])
    return ROOT / ".restage" / ("test" + re.sub(r"\W+", "-", os.environ.get("RESTAGE_POSTGRES_BIN", "")))


def end() -> None:
    """Stop the server of a home in memory and take that away; leave any other as it is."""
    if OURS in os.environ:
        home = Path(os.environ.pop(OURS))
        with suppress(FileNotFoundError, ValueError, ProcessLookupError), (home / "supervisor.lock").open("r+") as lock:
            os.kill(int(lock.read()), signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_EX)  # it is let go of when the server has stopped
        _remove(home)


def _clear() -> None:
    """Take away what runs that were killed have left behind."""
    for home in MEMORY.glob(f"{PREFIX}*"):
        with suppress(OSError), (home / "users.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - home.stat().st_mtime > LEFT_BEHIND_SECONDS:
                _remove(home)


def _remove(home: Path) -> None:
    with suppress(OSError, ValueError):
        data = Path(json.loads((home / "postgres.json").read_text())["data"])
        if not data.is_relative_to(home):  # root without user namespaces: a place of its own was made for it
            shutil.rmtree(data.parent)
    shutil.rmtree(home, ignore_errors=True)
