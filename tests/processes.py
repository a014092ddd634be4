"""Processes of Restage for tests, each forked from one that has loaded the libraries already.

They are real: their own pid, session, environment, settings, connections. What is saved is the loading of libraries, a
second of a core each; tests/config starts Python anew.
"""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_FORKED = multiprocessing.get_context("forkserver")
_FORKED.set_forkserver_preload(["tests.preloaded"])


class Process:
    """`python words` in a session of its own; `out` and `err`, where given, take what it prints."""

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        out: Path | None = None,
        err: Path | None = None,
    ) -> None:
        self._process = _FORKED.Process(
            target=_run, args=(list(words), str(folder), dict(environment), str(out or ""), str(err or ""))
        )
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit code, the number of the signal below zero; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """Its exit code. Raises TimeoutError where it runs on."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise TimeoutError(f"Process {self.pid} still runs after {seconds} seconds.")
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _run(words: list[str], folder: str, environment: dict[str, str], out: str, err: str) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, path in ((1, out), (2, err)):
        if path:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, stream)
            os.close(opened)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path[0] = str(Path(words[0]).parent)
        runpy.run_path(words[0], run_name="__main__")
