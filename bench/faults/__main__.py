"""`python -m bench.faults [NAME…]`: break, go on, count; print a table and write results/faults.json."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.faults import cuts, laws, outages, points, recovery, trips
from bench.faults.fields import Fields
from bench.figures import Figure, table, write
from config import embedded
from tests.house import VISITS
from warehouse.registry import SHIPPED, Registry, load

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("recovery", "points", "cuts", "outages", "trips", "laws")


def main() -> int:
    wanted = sys.argv[1:] or list(NAMES)
    if unknown := [name for name in wanted if name not in NAMES]:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    home = Path(os.environ.get("RESTAGE_HOME", ROOT / ".restage" / "bench"))
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        extracts = Path(name) / "extracts"
        extracts.mkdir()
        (extracts / "visits.toml").write_text(VISITS)
        registry = load([SHIPPED, extracts])
        for one in wanted:
            for figure in _measure(one, registry, home, Path(name)):
                print(f"{figure.name}: {figure.value:g} (goal {figure.goal})", file=sys.stderr, flush=True)
                found.append(figure)
    print(table(found))
    print(f"Written to {write('faults', found)}")
    return 0 if all(figure.holds for figure in found) else 1


def _measure(name: str, registry: Registry, home: Path, folder: Path) -> Iterator[Figure]:
    if name == "outages":
        yield from outages.measure(registry, home / "killed", folder / name)
        return
    fields = Fields(os.environ.get("BENCH_SERVER") or embedded.use(home).url("postgres"), registry, folder / name)
    fields.adopt()
    try:
        if name == "recovery":
            yield from recovery.measure(fields, folder / "extracts")
        else:
            yield from {"points": points, "cuts": cuts, "trips": trips, "laws": laws}[name].measure(fields)
    finally:
        fields.forget()


if __name__ == "__main__":
    sys.exit(main())
