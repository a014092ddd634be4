"""Writes a part to the cold tier, or reads it back, and prints the peak memory of its process in MB (for
bench.cooling)."""

import json
import sys
from pathlib import Path
from uuid import UUID, uuid4

from psycopg import sql

from warehouse import archive_sets, cold_loading, cold_sealing
from warehouse.cold_manifest import Secrets
from warehouse.cold_sealing import Tier
from warehouse.cold_store import Store
from warehouse.connections import connect
from warehouse.journal import Writer
from warehouse.progress import nobody
from warehouse.registry import SHIPPED, load

act, asked = sys.argv[1], json.loads(sys.argv[2])
set_id, tier = UUID(asked["set"]), Tier(Store(asked["store"]), Secrets.of("measured"))
with connect(asked["url"], purpose="bench") as connection:
    part = archive_sets.part(connection, set_id, asked["table"])
    assert part is not None
    if act == "write":
        found, extract = archive_sets.of_id(connection, set_id), load([SHIPPED]).of_table(asked["table"])
        cold_sealing.sealed(connection, extract, tier, found, part, Writer(uuid4(), 1, "bench"), nobody)
    else:
        with connection.transaction(force_rollback=True):
            aside = sql.Identifier("restage_build", "bench_peak")
            cold_loading.load(connection, tier.store, tier.secrets, set_id, asked["table"], into=aside)
# ru_maxrss would count what the parent had at the fork
(peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
