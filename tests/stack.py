"""The real processes of Restage, for tests: commands, worker, web."""

import contextlib
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from config import databases
from tests.house import House
from tests.processes import Process

ROOT = Path(__file__).resolve().parent.parent
MANAGE = ROOT / "manage.py"


def eventually(question: Callable[[], Any], *, seconds: float = 40.0) -> Any:
    """The first true answer; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := question():
            return found
        time.sleep(0.05)
    raise AssertionError("It did not come to pass in time.")


class Stack:
    def __init__(self, house: House, env: dict[str, str]) -> None:
        self.house = house
        # its databases are given by URL: they are not the embedded server's own two
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESTAGE_EMBEDDED_")}
        self.env = {**inherited, **env}
        self._started: list[Process] = []
        self._asks: psycopg.Connection | None = None

    def command(self, *words: str, code: int | None = 0) -> Any:
        """Run `manage.py words --json` and give its answer."""
        with TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            ended = Process([str(MANAGE), *words, "--json"], Path.cwd(), self.env, out=out, err=err).wait(120)
            told = err.read_text()
            assert code is None or ended == code, told
            assert "Traceback" not in told
            return json.loads(out.read_text())

    def start(self, *words: str, **more: str) -> Process:
        """Start `python words` with more environment; it ends with the test."""
        process = Process(words, ROOT, {**self.env, **more})
        self._started.append(process)
        return process

    def worker(self, **more: str) -> Process:
        return self.start(str(MANAGE), "worker", **more)

    def watcher(self, **more: str) -> Process:
        return self.start(str(MANAGE), "watch", **more)

    def shell(self, code: str) -> None:
        """Run Python in a process of the console."""
        assert self.start(str(MANAGE), "shell", "-v", "0", "-c", code).wait(60) == 0

    def web(self) -> str:
        """Serve the console; gives its address."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.start(
            "-m", "gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--log-level", "error"
        )
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: self._answers(url))
        return url

    def _answers(self, url: str) -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            return bool(urllib.request.urlopen(f"{url}/healthz", timeout=5).status == 200)  # noqa: S310  our own server
        return False

    def console(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the console's database; through one connection, as it is asked while something is waited for."""
        if self._asks is None or self._asks.closed:
            self._asks = psycopg.connect(self.env[databases.CONSOLE_URL], autocommit=True)
        return self._asks.execute(query, values).fetchall()

    def job_is(self, job: str, *states: str) -> bool:
        return self.console("SELECT state FROM jobs_job WHERE id = %s", job)[0][0] in states

    def end(self, process: Process) -> int:
        """SIGTERM to its main process, as an operator would."""
        process.send_signal(signal.SIGTERM)
        return process.wait(40)

    def stop(self) -> None:
        """The test is over: end what runs of it at once. How processes end when they are told to is tested by end()."""
        for process in self._started:
            for pid in descendants(process.pid) if process.poll() is None else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        if self._asks is not None:
            self._asks.close()


def descendants(process: int) -> list[int]:
    """A living process, its children, theirs and so on."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    children.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                continue
    found, todo = [], [process]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found
