"""kill -9 at every step of moving a set: it is whole somewhere, the next worker goes on, nothing is done twice."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone
from psycopg import sql

from tests import cold
from tests.house import House, row
from warehouse import cold_loading, cold_orphans, cold_verifying, cooling
from warehouse.journal import LostFenceError

COOL = """
import sys, psycopg
from pathlib import Path
from uuid import UUID
from tests import cold
from tests.house import House
from warehouse import registry
known = registry.load([registry.SHIPPED, Path(sys.argv[2])])
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    house = House(connection, known, Path(sys.argv[3]))
    cold.cool(house, cold.tier(sys.argv[4]), UUID(sys.argv[5]), drop_hot=True, job=UUID(sys.argv[6]))
"""
BEFORE_SEALED = ("cold file written", "cold file read again", "cold file placed", "cold files placed")
AFTER_SEALED = ("cold part sealed", "cold part noted", "cold part proved", "hot rows going", "hot rows gone")
INTO = sql.Identifier("restage_build", "visits_back")


@pytest.mark.parametrize("point", [*BEFORE_SEALED, *AFTER_SEALED])
def test_trap_44_a_set_is_whole_wherever_its_mover_dies(
    house: House, warehouse_url: str, extracts_folder: Path, tmp_path: Path, point: str
):
    set_id, job, tier = cold.kept(house, *(row(str(n)) for n in range(20))), uuid4(), cold.tier(tmp_path / "archive")
    hot = cold.hot_rows(house, set_id)
    words = [warehouse_url, str(extracts_folder), str(house.folder), tier.store.url, str(set_id), str(job)]
    env = {**os.environ, "RESTAGE_FAILPOINT": point}
    done = subprocess.run([sys.executable, "-c", COOL, *words], env=env, check=False, cwd=Path.cwd())
    assert done.returncode == -signal.SIGKILL
    part, found = cold.part_of(house, set_id), cold_verifying.verify(tier.store, tier.secrets, set_id, "visits")
    assert found.holds == (point in AFTER_SEALED)
    assert part.hot == (point != "hot rows gone") and (cold.hot_rows(house, set_id) == hot) == part.hot
    assert (part.cold is not None) == (point in AFTER_SEALED[1:])

    outcome = cold.cool(house, tier, set_id, drop_hot=True, job=job, epoch=2)
    assert outcome["tables"]["visits"]["rows"] == 20 and cold.hot_rows(house, set_id) == []
    known = cooling.known(cold.part_of(house, set_id))
    loaded = cold_loading.load(house.connection, tier.store, tier.secrets, set_id, "visits", into=INTO, known=known)
    assert cold.rows_in(house, INTO, [column["name"] for column in loaded.columns]) == hot
    told = house.connection.execute("SELECT action FROM restage.effects ORDER BY 1").fetchall()
    assert [action for (action,) in told] == ["cool", "drop hot copy", "write cold copy"]
    left = house.connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'restage_build'").fetchall()
    assert [name for (name,) in left] == ["visits_back"]
    cold_orphans.reap(house.connection, tier, now=timezone.now() + timedelta(hours=25))
    kept = {entry.name for entry in loaded.manifest.files} | {"keys.bin", "manifest.json"}
    assert {name.rpartition("/")[2] for name in cold.files(Path(tier.store.url))} == kept
    assert len(cold.files(Path(tier.store.url))) == 3


def test_a_worker_that_was_taken_over_changes_nothing_more(house: House, tmp_path: Path):
    set_id, job, tier = cold.kept(house), uuid4(), cold.tier(tmp_path / "archive")
    cold.cool(house, tier, set_id, job=job, epoch=2)
    with pytest.raises(LostFenceError):
        cold.cool(house, tier, set_id, drop_hot=True, job=job, epoch=1)
    assert len(cold.hot_rows(house, set_id)) == 2
