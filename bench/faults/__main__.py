"""`python -m bench.faults [NAME…]`: break, go on, count; print a table and write results/faults.json."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import places
from bench.faults import cuts, laws, outages, points, races, recovery, trips
from bench.faults.fields import Fields
from bench.figures import Figure, report, told
from tests.house import VISITS
from warehouse.registry import SHIPPED, Registry, load

_PROGRAMS = {"points": points, "cuts": cuts, "trips": trips, "laws": laws, "races": races}
NAMES = ("recovery", "points", "cuts", "outages", "trips", "laws", "races")


def main() -> int:
    wanted = sys.argv[1:] or list(NAMES)
    if unknown := [name for name in wanted if name not in NAMES]:
        print(f"There is no {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    home = places.home()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as name:
        extracts = Path(name) / "extracts"
        extracts.mkdir()
        (extracts / "visits.toml").write_text(VISITS)
        registry = load([SHIPPED, extracts])
        for one in wanted:
            found += [told(figure) for figure in _measure(one, registry, home, Path(name))]
    return report("faults", found)


def _measure(name: str, registry: Registry, home: Path, folder: Path) -> Iterator[Figure]:
    if name == "outages":
        yield from outages.measure(registry, home / "killed", folder / name)
        return
    fields = Fields(places.server(), registry, folder / name)
    fields.adopt()
    try:
        if name == "recovery":
            yield from recovery.measure(fields, folder / "extracts")
        else:
            yield from _PROGRAMS[name].measure(fields)
    finally:
        fields.forget()


if __name__ == "__main__":
    sys.exit(main())
