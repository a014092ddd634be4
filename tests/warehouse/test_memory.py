"""Loading takes no more memory for a large file than for a small one."""

import subprocess
import sys
from pathlib import Path

from tests.house import HEADER

LOAD = """
import resource, sys, psycopg
from pathlib import Path
from warehouse import deliveries, registry
known = registry.load([registry.SHIPPED, Path(sys.argv[2])])
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    report = deliveries.load(connection, known, sys.argv[3])
print(sum(run.records for run in report.runs), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_peak_memory_is_flat_in_the_size_of_the_file(warehouse_url: str, extracts_folder: Path, tmp_path: Path):
    def peak(records: int) -> int:
        folder = tmp_path / str(records)
        folder.mkdir()
        with (folder / f"a{records}_visits_20260105.csv").open("w") as file:
            file.write(f"{HEADER}\n")
            file.writelines(f"{n},2026-01-05,10,{'a note of some length ' * 5},\n" for n in range(records))
        done = subprocess.run(
            [sys.executable, "-c", LOAD, warehouse_url, str(extracts_folder), str(folder)],
            capture_output=True,
            check=True,
            text=True,
        )
        loaded, kilobytes = map(int, done.stdout.split())
        assert loaded == records
        return kilobytes

    assert peak(201_000) < 1.15 * peak(20_000) + 4_000
