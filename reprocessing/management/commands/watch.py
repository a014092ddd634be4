"""`manage.py watch`: listens to the warehouse, lets triggers act, and fires schedules, until it is stopped."""

import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from reprocessing.watching import Watcher
from warehouse.commands import CHECKS, warehouse_url


class Command(BaseCommand):
    help = (
        "Watches the warehouse and the clock until it is stopped (Ctrl-C or SIGTERM). Two do no harm: each acts once."
    )
    requires_system_checks = CHECKS

    def handle(self, **options: Any) -> None:
        watcher = Watcher(warehouse_url(), told=self._told)

        def stop(number: int, frame: FrameType | None) -> None:
            watcher.ended.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        watcher.run()

    def _told(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
