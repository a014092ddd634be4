"""What is judged by the clock of a worker. The detector and its libraries are loaded where there is a file to judge."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from warehouse import profiles, registry
from warehouse.connections import connect
from warehouse.on_use import OnUse

if TYPE_CHECKING:
    from monitoring.verdicts import judging
else:
    judging = OnUse("monitoring.verdicts.judging")

EVERY = timedelta(seconds=30)


def by_the_clock(now: datetime) -> None:
    with connect(settings.WAREHOUSE_URL, purpose="quality") as connection:
        waits = any(profiles.due(connection, extract, 1) for extract in registry.current().names)
    if waits:
        judging.judge_due(settings.WAREHOUSE_URL, now)
