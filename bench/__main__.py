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
    publishing,
    reading,
    restoring,
    transforming,
    working,
)
from bench.figures import Figure, table, write
from bench.ground import ground
from config import embedded

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
    home = Path(os.environ.get("RESTAGE_HOME", Path(__file__).resolve().parent.parent / ".restage" / "bench"))
    found: list[Figure] = []
    server = os.environ.get("BENCH_SERVER") or embedded.use(home).url("postgres")
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder, ground(server, Path(folder), home, rows) as measured_on:
            Path(folder).chmod(0o777)
            for figure in MEASURED[name].measure(measured_on):
                print(
                    f"{figure.name}: {figure.value:g} {figure.unit} (goal {figure.goal})", file=sys.stderr, flush=True
                )
                found.append(figure)
    print(table(found))
    print(f"{rows:,} rows; written to {write('bench', found)}")
    return 0 if all(figure.holds for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
