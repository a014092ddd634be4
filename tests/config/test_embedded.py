"""The default PostgreSQL: starts, is shared, and leaves no process behind however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# A shell starts what runs in its background with SIGINT ignored; the user of a server is at a terminal.
USER = """
import signal, sys
from pathlib import Path
from config import embedded
signal.signal(signal.SIGINT, signal.default_int_handler)
server = embedded.use(Path(sys.argv[1]))
print(server.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "a home with spaces"


def user(home: Path) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, int(process.stdout.readline())


def servers(home: Path) -> list[int]:
    """The postgres and supervisor processes of this home."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(home) in entry.read_bytes().replace(b"\0", b" ").decode(errors="replace") and int(
                entry.parent.name
            ) not in (os.getpid(),):
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def gone(home: Path, seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while servers(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not servers(home)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_leaves_no_process_when_its_user_ends(home: Path, ending: signal.Signals):
    process, _port = user(home)
    assert servers(home)
    process.send_signal(ending)
    process.wait(30)
    assert gone(home)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_stops_when_its_supervisor_ends(home: Path, ending: signal.Signals):
    process, _port = user(home)
    supervisor = int((home / "supervisor.lock").read_text())
    os.kill(supervisor, ending)
    deadline = time.monotonic() + 8
    while [pid for pid in servers(home) if pid != process.pid] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in servers(home) if pid != process.pid] == []
    process.kill()
    process.wait()


def test_a_second_start_shares_the_server(home: Path):
    first, port = user(home)
    second, same = user(home)
    assert port == same
    first.kill()
    first.wait()
    time.sleep(1)
    assert len(servers(home)) > 1, "the second user still needs it"
    second.kill()
    second.wait()
    assert gone(home)


def test_a_second_supervisor_says_who_holds_it(home: Path):
    process, _port = user(home)
    second = subprocess.run(
        [sys.executable, "-m", "config.embedded", str(home)], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert f"already run by process {(home / 'supervisor.lock').read_text()}" in second.stderr
    process.kill()
    process.wait()
    assert gone(home)
