"""`python -m bench [NAME…]`: measure on BENCH_ROWS (1,000,000) patients, print a table, write results/bench.json."""

import os
import sys
import tempfile
from pathlib import Path

from bench import (
    archiving,
    cleaning,
    comparing,
    cooling,
    latency,
    looking,
    places,
    publishing,
    reading,
    restoring,
    transforming,
    working,
)
from bench.figures import Figure, report, told
from bench.ground import ground

MEASURED = {
    "ingest": reading,
    "transform": transforming,
    "publish": publishing,
    "diff": comparing,
    "parallel": working,
    "reader": looking,
    "watch": latency,
    "archive": archiving,
    "cleanup": cleaning,
    "cold": cooling,
    "restore": restoring,
}


def main() -> int:
    wanted = sys.argv[1:] or list(MEASURED)
    if unknown := [name for name in wanted if name not in MEASURED]:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(MEASURED)}.", file=sys.stderr)
        return 2
    rows = int(os.environ.get("BENCH_ROWS", "1000000"))
    home, server, found = places.home(), places.server(), list[Figure]()
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder, ground(server, Path(folder), home, rows) as measured_on:
            Path(folder).chmod(0o777)
            found += [told(figure) for figure in MEASURED[name].measure(measured_on)]
    return report("bench", found, f"{rows:,} rows")


if __name__ == "__main__":
    sys.exit(main())
