"""How the rows of a batch are ordered, and where that order ends: a file that is cut short ends early."""

from itertools import pairwise

import numpy as np

from monitoring.quality.profile import Floats

LEAST_ROWS = 10
SORTED = 0.9  # share of the rows that are not before the row above
GLANCED_AT = 64  # rows that tell most columns without an order at once


def end(numbers: Floats) -> dict[str, float]:
    """The last number, of rows that stand in its order, or against it."""
    kept = numbers[~np.isnan(numbers)]
    if len(kept) < LEAST_ROWS or kept[0] == kept[-1]:
        return {}
    steps = np.diff(kept)
    if (steps >= 0).mean() >= SORTED:
        return {"end": float(kept[-1])}
    return {"end_down": float(-kept[-1])} if (steps <= 0).mean() >= SORTED else {}


def end_of_texts(texts: list[str]) -> dict[str, float]:
    """Of rows that stand in the order of their text: where in the alphabet the last begins, by two letters."""
    if len(texts) < LEAST_ROWS or texts[0] == texts[-1]:
        return {}
    glance = [texts[at] for at in np.linspace(0, len(texts) - 1, GLANCED_AT).astype(int)]
    for name, way in (("end", 1), ("end_down", -1)):
        if _in_order(glance, way) and _in_order(texts, way):
            return {name: way * _place(texts[-1])}
    return {}


def _in_order(texts: list[str], way: int) -> bool:
    right = sum(one <= other if way > 0 else one >= other for one, other in pairwise(texts))
    return right >= SORTED * (len(texts) - 1)


def _place(text: str) -> float:
    begins = (text.lower() + "\0\0")[:2]
    return min(ord(begins[0]), 0x2FF) + min(ord(begins[1]), 0x2FF) / 0x300
