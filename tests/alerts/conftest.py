"""Load runs as they stood at some time, and looks at them by a clock of the test's own."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from monitoring.alerts import evaluation
from monitoring.alerts.models import Alert, Rule
from tests.house import House
from warehouse.connections import connect

HOUR = timedelta(hours=1)


class Ward:
    """`now` moves as the test says; `look` is what a worker does by its clock."""

    def __init__(self, house: House) -> None:
        self.house, self.now = house, timezone.now()
        self.bucket = 0

    def run(self, extract: str = "Visits", *, begun: float = 1, took: float | None = 0.5, read: int = 100,
            refused: int = 0, failed: int = 0) -> UUID:  # fmt: skip
        """A load run that began so many hours ago and took so many (None: it still goes)."""
        made, started = uuid4(), self.now - begun * HOUR
        ended = None if took is None else started + took * HOUR
        execute = self.house.connection.execute
        execute(
            "INSERT INTO etl.load_runs (load_run_id, status, triggered_by, started_at, completed_at, created_at,"
            " updated_at) VALUES (%s, %s, 'test', %s, %s, %s, %s)",
            [made, "completed" if ended else "running", started, ended, started, ended or self.now],
        )
        for number in range(1 + failed):
            self.bucket += 1
            bad = number < failed
            execute(
                "INSERT INTO etl.load_run_files (load_run_id, s3_bucket, s3_key, s3_version_id, file_hash,"
                " date_extracted, extract_type, per_org_id, practice_id, status, rows_read, rows_rejected, finished_at)"
                " VALUES (%s, 'b', %s, '', %s, '2026-01-01', %s, 'a', 'a', %s, %s, %s, %s)",
                [made, f"k{self.bucket}", f"h{self.bucket}", extract, "failed" if bad else
                 "completed" if ended else "processing", 0 if bad else read, 0 if bad else refused, ended],
            )  # fmt: skip
        return made

    def end(self, run: UUID) -> None:
        execute = self.house.connection.execute
        execute(
            "UPDATE etl.load_runs SET status = 'completed', completed_at = %s WHERE load_run_id = %s", [self.now, run]
        )
        execute("UPDATE etl.load_run_files SET status = 'completed' WHERE load_run_id = %s", [run])

    def later(self, **more: float) -> None:
        self.now += timedelta(**more)

    def look(self, **later: float) -> list[Alert]:
        """What is not over after a look."""
        self.later(**later)
        with connect(settings.WAREHOUSE_URL, purpose="test") as connection:
            rules = list(Rule.objects.filter(state="active").order_by("pk"))
            evaluation.apply(evaluation.measure_all(connection, rules, self.now), self.now)
        return list(Alert.objects.filter(state__in=Alert.LIVING).order_by("pk"))


@pytest.fixture
def ward(console: House) -> Ward:
    Rule.objects.update(active_from=timezone.now() - timedelta(days=100))
    return Ward(console)


def rule(name: str = "Tried", *, only: bool = True, **fields: Any) -> Rule:
    """A rule; unless `only` is false the shipped ones are silent."""
    if only:
        Rule.objects.update(state="paused")
    given = {"metric": "run error rate", "threshold": 0.05, "active_from": datetime(2020, 1, 1, tzinfo=timezone.get_current_timezone())}  # fmt: skip  # noqa: E501
    return Rule.objects.create(name=name, **{**given, **fields})
