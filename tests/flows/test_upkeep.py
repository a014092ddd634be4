"""What is done by the clock: one room's defect ends neither the others nor the thread."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError

from jobs.upkeep import Regular

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_a_defect_of_one_act_is_told_without_its_message_and_tried_again(caplog):
    tries = []

    def act(now: datetime) -> None:
        tries.append(now)
        raise ValueError("kōwhai")

    regular = Regular(act, every=timedelta(minutes=1), failing="Nothing was counted")
    for minutes in (0, 0.5, 1):
        regular(NOW + timedelta(minutes=minutes))
    assert tries == [NOW, NOW + timedelta(minutes=1)]
    assert "Nothing was counted: ValueError" in caplog.text and "kōwhai" not in caplog.text


def test_a_console_that_is_away_is_left_to_the_loop():
    def act(now: datetime) -> None:
        raise DatabaseError

    with pytest.raises(DatabaseError):
        Regular(act, every=timedelta(minutes=1), failing="")(NOW)
