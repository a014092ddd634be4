"""Orphans, adoption, the key filter: what lies in the store, and what the catalogue knows of it."""

import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone

from tests import cold
from tests.house import House, row
from warehouse import archive_keys, cold_adoption, cold_orphans, cold_search, cooling
from warehouse.archive_keys import Holding
from warehouse.cold_adoption import CannotAdoptError
from warehouse.cold_reading import DamagedError
from warehouse.cold_sealing import Tier

LATER = timezone.now() + timedelta(hours=25)


@pytest.fixture
def tier(tmp_path: Path) -> Tier:
    return cold.tier(tmp_path / "archive")


def write(tier: Tier, name: str) -> str:
    path = Path(tier.store.path(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return name


def test_what_nobody_sealed_is_listed_and_goes_after_its_grace(house: House, tier: Tier):
    set_id = cold.kept(house)
    cold.cool(house, tier, set_id)
    whole = cold.files(Path(tier.store.url))
    left = [
        write(tier, "aside/one/rows-0001.parquet"),
        write(tier, f"sets/{set_id}/visits/other/rows-0001.parquet"),
        write(tier, f"sets/{uuid4()}/visits/other/rows-0001.parquet"),
        write(tier, f"sets/{set_id}/visits/.sealing-x"),
    ]
    write(tier, "sets/not-of-ours/file")
    now = timezone.now()
    found = cold_orphans.orphans(house.connection, tier, now=now)
    assert {orphan.item.name for orphan in found} == set(left) and not any(orphan.due for orphan in found)
    assert cold_orphans.reap(house.connection, tier, now=now) == []
    assert len(cold_orphans.reap(house.connection, tier, now=LATER)) == 4
    assert cold.files(Path(tier.store.url)) == {**whole, "sets/not-of-ours/file": b"x"}
    assert cold_orphans.orphans(house.connection, tier, now=LATER) == []


def test_a_file_that_came_late_keeps_its_writing_alive(house: House, tier: Tier):
    old = Path(tier.store.path(write(tier, "aside/one/rows-0001.parquet")))
    write(tier, "aside/one/rows-0002.parquet")
    os.utime(old, (0, 0))
    assert cold_orphans.reap(house.connection, tier, now=timezone.now()) == []


def test_files_of_a_removed_set_go_and_those_of_a_damaged_one_stay(house: House, tier: Tier):
    set_id, other = cold.kept(house), cold.keep(house, house.deliver("20260106", row("9")))
    for one in (set_id, other):
        cold.cool(house, tier, one)
    house.connection.execute("UPDATE restage.archive_sets SET removed_at = now() WHERE set_id = %s", [set_id])
    Path(tier.store.path(f"sets/{other}/visits/manifest.json")).write_bytes(b"damaged")
    gone = cold_orphans.reap(house.connection, tier, now=LATER)
    assert gone[0].item.name == f"sets/{set_id}/visits/manifest.json"
    assert {orphan.why for orphan in gone} == {"its set was removed"}
    assert all(str(other) in name for name in cold.files(Path(tier.store.url)))
    assert len(cold.files(Path(tier.store.url))) == 3


def test_a_lost_catalogue_is_made_again_from_the_manifests(house: House, tier: Tier):
    set_id = cold.kept(house)
    cold.cool(house, tier, set_id, drop_hot=True)
    before = cold.part_of(house, set_id)
    assert cold_adoption.unknown(house.connection, tier) == []
    house.connection.execute("DELETE FROM restage.archive_parts")
    house.connection.execute("DELETE FROM restage.archive_sets")
    (found,) = cold_adoption.unknown(house.connection, tier)
    adopted = cold_adoption.adopt(house.connection, tier, found, actor="olivia")
    assert (adopted.set_id, adopted.rows) == (set_id, 2)
    after = cold.part_of(house, set_id)
    same = ("set_id", "rows", "bytes", "checksum", "columns", "fingerprint", "hashed", "archived_at", "cold", "hot")
    assert {name: getattr(after, name) for name in same} == {name: getattr(before, name) for name in same}
    cooling.prove(house.connection, tier, after, cold.writer(house))
    assert archive_keys.find(house.connection, house.visits, {"visit_id": "1"}) == [Holding(set_id, certain=False)]
    cold_adoption.adopt(house.connection, tier, found, actor="olivia")
    told = house.connection.execute("SELECT count(*) FROM restage.effects WHERE action = 'adopt archive'").fetchone()
    assert told == (1,)


def test_a_removed_or_damaged_set_is_not_adopted(house: House, tier: Tier):
    set_id = cold.kept(house)
    cold.cool(house, tier, set_id)
    house.connection.execute("DELETE FROM restage.archive_parts")
    house.connection.execute("UPDATE restage.archive_sets SET removed_at = now()")
    (found,) = cold_adoption.unknown(house.connection, tier)
    with pytest.raises(CannotAdoptError, match="removed"):
        cold_adoption.adopt(house.connection, tier, found, actor="olivia")
    house.connection.execute("DELETE FROM restage.archive_sets")
    (rows,) = Path(tier.store.url).rglob("rows-*.parquet")
    rows.write_bytes(rows.read_bytes()[:-1])
    with pytest.raises(DamagedError):
        cold_adoption.adopt(house.connection, tier, found, actor="olivia")
    assert house.connection.execute("SELECT count(*) FROM restage.archive_sets").fetchone() == (0,)


def test_a_version_that_another_set_has_is_not_adopted(house: House, tier: Tier):
    set_id = cold.kept(house)
    cold.cool(house, tier, set_id)
    house.connection.execute("DELETE FROM restage.archive_parts")
    house.connection.execute("DELETE FROM restage.archive_sets")
    (run,) = house.connection.execute("SELECT load_run_id FROM etl.load_runs").fetchone() or (uuid4(),)
    cold.keep(house, run)
    (found,) = cold_adoption.unknown(house.connection, tier)
    with pytest.raises(CannotAdoptError, match="with version 1"):
        cold_adoption.adopt(house.connection, tier, found, actor="olivia")


def test_a_key_is_found_in_the_sets_that_hold_it_and_in_no_other(house: House, tier: Tier):
    set_id = cold.kept(house, *(row(str(n)) for n in range(300)))
    other = cold.keep(house, house.deliver("20260106", row("x")))
    for one in (set_id, other):
        cold.cool(house, tier, one)
    parts = [cold.part_of(house, set_id), cold.part_of(house, other)]

    def found(key: str) -> list[tuple[str, int]]:
        return [(str(hit.set_id), hit.rows) for hit in cold_search.holding(tier, parts, "visits", {"visit_id": key})]

    assert found("x") == [(str(other), 1)]
    assert [len(found(str(n))) for n in range(300)] == [1] * 300
    assert found("300") == [] and found("") == []
