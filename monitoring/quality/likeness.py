"""Which values of a text column look like another value of the same batch gone wrong: mistyped, or cut off."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from monitoring.quality.profile import Floats

MOST_VALUES = 1_500  # distinct ones of a batch; a column with more is not looked at
LEAST_LENGTH, MOST_LENGTH = 4, 60
AGAIN = 1.2  # rows per value: where hardly a value comes twice, none is the right one of another


def alike(texts: Sequence[str], counts: Floats) -> dict[str, float]:
    """Rows that hold one letter more, less or other than a more frequent value, and rows that hold the beginning of
    another value. Numbers and codes, any two of which may be alike, are passed over."""
    if len(texts) > MOST_VALUES:
        return {}
    chosen = [at for at, text in enumerate(texts) if LEAST_LENGTH <= len(text) <= MOST_LENGTH and _is_word(text)]
    words, rows = [texts[at].lower() for at in chosen], counts[chosen]
    found = {"cut_off": _cut_off(words, rows)}
    if rows.sum() >= AGAIN * len(words):
        found["mistyped"] = _mistyped(words, rows)
    return found


def _is_word(text: str) -> bool:
    return not any(map(str.isdigit, text)) and any(map(str.isalpha, text))


def _mistyped(words: list[str], rows: Floats) -> float:
    """Two words that one letter tells apart are the same without some letter of each."""
    most: dict[str, float] = {}
    for word, count in zip(words, rows.tolist(), strict=True):
        for short in _shortened(word):
            if count > most.get(short, 0.0):
                most[short] = count
    found = [
        count
        for word, count in zip(words, rows.tolist(), strict=True)
        if any(most[short] > count for short in _shortened(word))
    ]
    return float(sum(found))


def _shortened(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


def _cut_off(words: list[str], rows: Floats) -> float:
    """In alphabetical order a word stands right before those that begin with it."""
    order = sorted(range(len(words)), key=words.__getitem__)
    cut = np.array(
        [words[later].startswith(words[one]) and words[later] != words[one] for one, later in pairwise(order)]
    )
    return float(rows[order[:-1]][cut].sum()) if len(cut) else 0.0
