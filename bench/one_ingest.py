"""Reads one file into raw and prints the peak memory of its process in MB (for bench.reading)."""

import json
import resource
import sys

import psycopg

from warehouse import ingest, names
from warehouse.registry import SHIPPED, load
from warehouse.sources import Address

asked = json.loads(sys.argv[1])
extract, address = load([SHIPPED])["Patient"], Address(asked["folder"], asked["key"])
with psycopg.connect(asked["url"], autocommit=True) as connection, connection.transaction(force_rollback=True):
    ingest.copy(
        connection,
        address,
        extract,
        into=names.raw(extract),
        load_run_file_id=asked["file"],
        content=address.content(),
    )
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
