"""The laws over many generated cases: staging is the fold of raw, a dry run says what the run does, and what was
archived and restored is as it was."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator

from bench.faults.fields import Fields
from bench.figures import Figure, at_least, at_most
from tests.warehouse import test_dry_run, test_fold_machine, test_restore_law

SEQUENCES, CASES, RESTORES = 2_000, 500, 5_000
BESIDE = 2  # processes at once


def measure(fields: Fields) -> Iterator[Figure]:
    def folds(name: str) -> None:
        folder = fields.folder / name
        test_fold_machine.hold(fields.url(name), fields.registry, folder, SEQUENCES // BESIDE)

    def agrees(name: str) -> None:
        with fields.house(name) as house:
            house.folder = fields.folder / name
            house.folder.mkdir(exist_ok=True)
            test_dry_run.hold(house, CASES // BESIDE)

    def restores(name: str) -> None:
        with fields.house(name) as house:
            test_restore_law.hold(house, RESTORES // BESIDE)

    broken = _beside(fields, folds)
    yield at_least("rows_lost_fold_sequences", SEQUENCES, 2_000, baseline="an oracle in Python", unit="sequences")
    yield at_most("rows_lost_fold_broken", broken, 0, baseline="an oracle in Python", unit="laws")
    broken = _beside(fields, agrees)
    yield at_least("delivery_dry_run_cases", CASES, 500, baseline="the run itself", unit="cases")
    yield at_most("delivery_dry_run_differences", broken, 0, baseline="the run itself", unit="laws")
    broken = _beside(fields, restores)
    yield at_least("restore_law_cases", RESTORES, 5_000, baseline="the rows as they were", unit="cases")
    yield at_most("restore_law_broken", broken, 0, baseline="the rows as they were", unit="laws")


def _beside(fields: Fields, law: Callable[[str], None]) -> int:
    """Try the law in several processes at once, each on a warehouse of its own; how many found it broken."""
    children = [_child(fields, law, part) for part in range(BESIDE)]
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def _child(fields: Fields, law: Callable[[str], None], part: int) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with fields.copy(f"law_{part}") as name:
                law(name)
            code = 0
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        os._exit(code)
    return child
