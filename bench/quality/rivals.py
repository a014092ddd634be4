"""The detectors that the project's own is measured against, on the statistics that are published for them.

Three sigma as it stands in the textbooks and in the tools; the same with its limit set by the feed's own past scores;
and the mean distance to the five nearest batches on min-max scaled statistics (Redyuk et al., EDBT 2021).
"""

from collections import Counter
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
import pandas as pd

from monitoring.quality.profile import Column, Floats, Profile

NEIGHBOURS, CONTAMINATION = 5, 0.01
SIGMAS, SPREADS = 3.0, 3.0
MOST_TEXTS = 300
OF_NUMBERS = ("mean", "log_spread", "least", "most")
OF_ALL = ("distinct", "top", "log_distinct")


@dataclass(frozen=True)
class Opinion:
    """`columns`: most suspicious first."""

    score: float
    flagged: bool
    columns: list[str]


def statistics(frame: pd.DataFrame, profile: Profile) -> dict[tuple[str, str], float]:
    """Completeness, distinct, most frequent, moments, and the index of peculiarity of texts; and the rows."""
    found = {("", "rows"): float(profile.rows)}
    for name, column in profile.columns.items():
        found[name, "complete"] = 1 - column.shares["null"] / max(1, column.filled)
        found |= {(name, level): column.levels.get(level, np.nan) for level in OF_ALL}
        if column.levels.get("as_number", 0) > 0.5:
            found |= {(name, level): column.levels.get(level, np.nan) for level in OF_NUMBERS}
        if column.kind == "text" and name in frame.columns:
            found[name, "peculiar"] = peculiarity(frame[name], column)
    return found


def peculiarity(values: pd.Series, column: Column) -> float:
    """How unusual the trigrams of a text column are for its own pairs of letters."""
    texts = [str(text) for text in values.dropna().unique()[:MOST_TEXTS]]
    if not texts or not len(column.values.hashes):
        return np.nan
    two = Counter(text[i : i + 2] for text in texts for i in range(len(text) - 1))
    three = Counter(text[i : i + 3] for text in texts for i in range(len(text) - 2))
    if not three:
        return 0.0
    odd = [(0.5 * (log(two[t[:2]]) + log(two[t[1:]])) - log(n)) ** 2 for t, n in three.items()]
    return sqrt(sum(odd) / len(odd))


class Rivals:
    """One feed's past in the eyes of all three."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self.past: list[dict[tuple[str, str], float]] = []
        self.scores: list[float] = []

    def add(self, found: dict[tuple[str, str], float]) -> None:
        if len(self.past) >= NEIGHBOURS:
            self.scores.append(self._sigmas(found)[0])
        self.past.append(found)

    def opinions(self, found: dict[tuple[str, str], float]) -> dict[str, Opinion]:
        most, columns = self._sigmas(found)
        past = np.array(self.scores)
        middle = float(np.median(past))
        spread = 1.4826 * float(np.median(np.abs(past - middle)))
        distance, limit, far = self._neighbours(found)
        return {
            "3_sigma": Opinion(most, most > log(1 + SIGMAS), columns),
            "3_sigma_calibrated": Opinion(most, most > middle + SPREADS * max(spread, 1e-3), columns),
            "knn": Opinion(distance, distance > limit, far),
        }

    def _matrix(self, found: dict[tuple[str, str], float]) -> tuple[list[tuple[str, str]], Floats, Floats]:
        names = list(self.past[-1])
        past = np.array([[one.get(name, np.nan) for name in names] for one in self.past])
        now = np.array([found.get(name, np.nan) for name in names])
        usual = np.nan_to_num(np.nanmean(np.where(np.isnan(past), np.nan, past), axis=0))
        return names, np.where(np.isnan(past), usual, past), np.nan_to_num(np.where(np.isnan(now), 1e9, now))

    def _sigmas(self, found: dict[tuple[str, str], float]) -> tuple[float, list[str]]:
        names, past, now = self._matrix(found)
        deviation = past.std(axis=0)
        off = np.abs(now - past.mean(axis=0)) / np.maximum(deviation, 1e-6 + 1e-6 * np.abs(past.mean(axis=0)))
        return float(np.log1p(off.max())), _columns(names, off)

    def _neighbours(self, found: dict[tuple[str, str], float]) -> tuple[float, float, list[str]]:
        names, past, now = self._matrix(found)
        least, width = past.min(axis=0), np.ptp(past, axis=0)
        width = np.where(width > 0, width, 1.0)
        past, now = (past - least) / width, np.clip((now - least) / width, -1e6, 1e6)
        between = np.sqrt(((past[:, None, :] - past[None, :, :]) ** 2).sum(axis=2))
        own = np.sort(between, axis=1)[:, 1 : NEIGHBOURS + 1].mean(axis=1)
        distance = np.sort(np.sqrt(((past - now) ** 2).sum(axis=1)))[:NEIGHBOURS].mean()
        return (
            float(distance),
            float(np.quantile(own, 1 - CONTAMINATION)),
            _columns(names, np.abs(now - past.mean(axis=0))),
        )


def _columns(names: list[tuple[str, str]], off: Floats) -> list[str]:
    ordered = [names[at][0] for at in np.argsort(-off)]
    return [name for name in dict.fromkeys(ordered) if name]
