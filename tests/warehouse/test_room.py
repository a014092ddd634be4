"""A disk that is too small stops the work before it begins."""

import pytest

from tests.house import House
from warehouse import room
from warehouse.room import NoRoomError


def test_what_is_free_is_what_the_machine_says(house: House):
    found = room.demand(house.connection, 1_000)
    assert found.needed == 9_000
    assert found.free is not None and found.free > 1e6


def test_work_that_does_not_fit_is_refused_with_both_numbers(house: House):
    with pytest.raises(NoRoomError, match=r"needs about .* [MG]B .* but .* [MG]B are\. Nothing was read"):
        room.demand(house.connection, 10**18)


def test_the_need_must_be_free_twice(house: House, monkeypatch):
    monkeypatch.setattr(room, "_free", lambda connection: 2 * 9_000)
    assert room.demand(house.connection, 1_000).free == 18_000
    monkeypatch.setattr(room, "_free", lambda connection: 2 * 9_000 - 1)
    with pytest.raises(NoRoomError):
        room.demand(house.connection, 1_000)


def test_another_machines_disk_is_unknown_and_stops_nothing(house: House, monkeypatch):
    monkeypatch.setattr(room, "LOOPBACK", frozenset())
    assert room.demand(house.connection, 10**18).free is None
