"""Holds and restores raced against cleanups, many times: no held set goes, no restore is half of one."""

import sys
from collections.abc import Iterator

from bench.faults.fields import Fields
from bench.figures import Figure, at_least, at_most
from tests.warehouse import races
from tests.warehouse.races import Found

RACES, SEED = 500, 20264


def measure(fields: Fields) -> Iterator[Figure]:
    for name, race in (("hold", races.hold_against_cleanup), ("restore", races.restore_against_cleanup)):
        with fields.copy(f"race_{name}") as copy, fields.house(copy) as house:
            house.folder = fields.folder / name
            house.folder.mkdir(parents=True, exist_ok=True)
            found = race(house, fields.url(copy), RACES, seed=SEED)
        yield from _figures(name, found)


def _figures(name: str, found: Found) -> Iterator[Figure]:
    """Of a race that one side always wins nothing is proved: each must have won some."""
    won = min(found.first, found.races - found.first)
    print(f"{name}: won {found.first} of {found.races}; {'; '.join(found.wrong[:5])}", file=sys.stderr, flush=True)
    yield at_least(f"race_{name}_cleanup", found.races, RACES, baseline=f"seed {SEED}", unit="races")
    yield at_least(f"race_{name}_cleanup_either_way", won, 1, baseline="the side that won less often", unit="races")
    yield at_most(f"race_{name}_cleanup_wrong", len(found.wrong), 0, baseline="never both, never half", unit="races")
