"""Results of broken operations as figures: nothing lost, nothing doubled, nothing stuck, one effect."""

from collections.abc import Iterator, Sequence

from bench.faults.fields import Result
from bench.figures import Figure, at_most


def figures(after: str, found: Sequence[Result]) -> Iterator[Figure]:
    for name, value in (
        ("rows_lost", sum(r.lost for r in found)),
        ("rows_duplicated", sum(r.duplicated for r in found)),
        ("stuck", sum(r.left for r in found)),
        ("kill_violations", sum(r.violations for r in found)),
        ("delivery_second_effects", sum(max(0, r.effects - 1) for r in found)),
    ):
        yield at_most(f"{name}_after_{after}", value, 0, baseline="an unbroken run", unit="count")
