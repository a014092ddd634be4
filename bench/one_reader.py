"""A reader for bench.looking: point queries, 2 ms apart, until its input is closed; prints their p95 in ms."""

import json
import random
import select
import sys
import time
from statistics import quantiles

import psycopg

asked = json.loads(sys.argv[1])
took: list[float] = []
with psycopg.connect(asked["url"], autocommit=True) as connection:
    query = "SELECT * FROM stg.registrations WHERE patient_id = %s AND practice_id = '1' AND per_org_id = '1'"
    for number in range(20):
        connection.execute(query, [str(number)], prepare=True)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.002)[0]:
        key = str(random.randrange(asked["rows"]))
        began = time.perf_counter()
        connection.execute(query, [key], prepare=True).fetchall()
        took.append((time.perf_counter() - began) * 1000)
print(quantiles(took, n=20)[-1])
