"""`manage.py worker`: one django-q2 cluster under a supervisor that can be stopped, and the reconciler."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from jobs import processes, reconciler, upkeep
from jobs.claims import LEASE
from warehouse.commands import CHECKS

RECONCILE_SECONDS = min(5.0, LEASE.total_seconds() / 6)  # a lapsed lease is soon seen, however short it is
STOP_SECONDS = 20.0
MANAGE = Path(sys.argv[0]).resolve()


class Command(BaseCommand):
    help = "Works on jobs until it is stopped (Ctrl-C or SIGTERM); what it had begun is taken up by the next worker."
    requires_system_checks = CHECKS

    def handle(self, **options: Any) -> None:
        stopping = False

        def stop(number: int, frame: FrameType | None) -> None:
            nonlocal stopping
            stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        cluster, ended = _start(), threading.Event()
        threading.Thread(target=upkeep.run, args=[ended], name="upkeep", daemon=True).start()
        self.stdout.write("The worker waits for jobs.")
        try:
            while not stopping:
                if cluster.poll() is not None:
                    self.stderr.write("The worker's cluster has died; another one is started.")
                    processes.kill_group(cluster)
                    cluster = _start()
                _reconcile()
                _sleep(RECONCILE_SECONDS, until=lambda: stopping)
        finally:
            ended.set()
            processes.stop([cluster], seconds=STOP_SECONDS)


def _start() -> "subprocess.Popen[bytes]":
    return processes.start([sys.executable, str(MANAGE), "qcluster", "--skip-checks"])


def _reconcile() -> None:
    try:
        reconciler.reconcile()
    except DatabaseError:
        close_old_connections()  # the console's database is away; the next round tries again


def _sleep(seconds: float, *, until: Any) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        time.sleep(0.1)
