"""`manage.py demo`: the console on this machine with a sample warehouse, all processes in the foreground."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from access import rights
from jobs import processes

PASSWORD = "restage-demo"  # noqa: S105  of invented people, on a server that listens on loopback only
PEOPLE = {
    "olivia": ("operator",),
    "rewi": ("reviewer",),
    "aroha": ("archive admin",),
    "otis": ("ops",),
    "hana": ("on call",),
    "audrey": ("auditor",),
    "vikram": ("viewer",),
    "ada": ("administrator",),
}
ROOT = Path(__file__).resolve().parents[3]


class Command(BaseCommand):
    help = "Starts the console with a sample warehouse; Ctrl-C or SIGTERM ends every process it started."

    def handle(self, **options: Any) -> None:
        port = _port()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        children: dict[str, subprocess.Popen[bytes]] = {}
        os.environ.setdefault("RESTAGE_BASE_URL", f"http://127.0.0.1:{port}")
        try:
            self._prepare()
            children = {name: processes.start(words, cwd=str(ROOT)) for name, words in _commands(port).items()}
            _wait_until_served(port, children)
            self._welcome(port)
            while not (dead := _dead(children)):
                time.sleep(0.5)
            raise CommandError(f"The {dead} of the demo has ended; its last words are above. Start the demo again.")
        except SystemExit:
            pass
        finally:
            processes.stop([*children.values()], seconds=30)

    def _prepare(self) -> None:
        for name, roles in PEOPLE.items():
            user, made = User.objects.get_or_create(username=name)
            if made:
                user.set_password(PASSWORD)
                user.save()
                rights.give(user, roles)
        self.stdout.write("Loading the sample warehouse (once) …")
        call_command("warehouse", "sample", verbosity=0)

    def _welcome(self, port: int) -> None:
        self.stdout.write(f"\nRestage is ready: http://127.0.0.1:{port}\n")
        for name, roles in PEOPLE.items():
            self.stdout.write(f"  {name:8} {', '.join(roles)}")
        self.stdout.write(f"  password of all: {PASSWORD}\nCtrl-C ends it; the data stays in {settings.HOME}.")
        self.stdout.flush()


def _port() -> int:
    text = os.environ.get("PORT", "8000")
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise CommandError(f"PORT is {text!r}; a number from 1 to 65535 is needed.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            raise CommandError(
                f"Port {text} cannot be used ({error.strerror}). PORT=8010 make demo takes another."
            ) from error
    return int(text)


def _commands(port: int) -> dict[str, list[str]]:
    web = [
        sys.executable,
        "-m",
        "gunicorn",
        "config.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "1",
        "--threads",
        "8",
    ]
    manage = [sys.executable, str(ROOT / "manage.py")]
    return {
        "web process": [*web, "--log-level", "warning"],
        "worker": [*manage, "worker"],
        "watcher": [*manage, "watch"],
    }


def _dead(children: "Mapping[str, subprocess.Popen[bytes]]") -> str:
    """Which have ended: "worker, watcher"; "" as long as all live."""
    return ", ".join(name for name, child in children.items() if child.poll() is not None)


def _wait_until_served(port: int, children: "Mapping[str, subprocess.Popen[bytes]]") -> None:
    for _ in range(300):
        if dead := _dead(children):
            raise CommandError(f"The {dead} of the demo did not start; its last words are above.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise CommandError("The web process did not answer within 30 s.")


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
