"""The measures of a feed over time: what each should be now, how far off it is, and how surprising that is."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.quality.profile import Floats

WINDOW = 120  # batches that count
LAGS = (7, 52, 12)
MOST_Z = 1e6
WEIGHT = 4.0  # batches that the family of a measure counts for, beside the measure's own past
FADING = 0.94
LEAST_ERRORS = 1  # before a step counts as usual: the very first has no spread to be measured by, and looks enormous
UP, EITHER, DOWN = 1, 0, -1
# Breaks of what never happened: how many are expected in how many batches, before the feed's own are known.
PRIORS = {
    **dict.fromkeys(("again", "redelivered", "redelivered_core", "null", "blank", "broken"), (0.05, 1_000.0)),
    **dict.fromkeys(("not_number", "untimely", "over1", "over2", "over4", "whole"), (0.05, 1_000.0)),
    **dict.fromkeys(("lone_null", "new_mask"), (0.05, 1_000.0)),
    **dict.fromkeys(("negative", "sentinel", "nines", "ragged", "foreign", "backward"), (0.25, 500.0)),
}
STEEP = frozenset(PRIORS) | {
    "zero",
    "order",
    "same",
    "company",
    "new_value",
    "new_gram",
    "beyond",
    "mistyped",
    "cut_off",
}


@dataclass(frozen=True)
class Reading:
    """One measure of one batch. `error`: of `value` by sampling alone. `way`: what is a surprise, UP, DOWN or EITHER.

    `least`: a difference that means nothing.
    """

    column: str
    measure: str
    value: float
    error: float
    way: int
    least: float


@dataclass(frozen=True)
class Surprises:
    """Aligned: the readings, what was expected of each, off by how many spreads, and the surprise (−log10 p)."""

    readings: list[Reading]
    expected: Floats
    off: Floats
    surprise: Floats


class Series:
    def __init__(self) -> None:
        self.at: dict[tuple[str, str], int] = {}
        self.width = 1
        self.families: dict[str, list[int]] = {}
        self.values = np.empty((0, 0))
        self.offs = np.empty((0, 0))  # absolute standardised one-step errors
        self.errors = np.empty((0, 0))  # one-step errors
        self.still = np.empty((0, 0))  # 1.0 where the measure had never moved before
        self.mistakes = np.empty((0, 0))  # each predictor's, of each measure: fading mean error
        self.sampling = np.empty(0)  # fading mean of the error by sampling
        self._tails: dict[tuple[str, bool], Floats] = {}
        self._unmoved: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def weigh(self, readings: list[Reading]) -> Surprises:
        """Against the past alone. A measure never seen before says nothing."""
        known = [r for r in readings if (r.column, r.measure) in self.at and np.isfinite(r.value)]
        place = np.array([self.at[r.column, r.measure] for r in known], dtype=int)
        if not len(self) or not known:
            return Surprises([], np.empty(0), np.empty(0), np.empty(0))
        value = np.array([r.value for r in known])
        expected = self._best(self._predictions()[:, place], place)
        off = self._off(known, place, value - expected)
        return Surprises(known, expected, off, self._surprise(known, place, off))

    def add(self, readings: list[Reading], surprises: Surprises) -> None:
        """The batch becomes a part of the past."""
        self._make_room(readings)
        width = len(self.at)
        value, error, off = (np.full(width, np.nan) for _ in range(3))
        still = self._still().astype(float)
        for r in readings:
            if np.isfinite(r.value):
                at = self.at[r.column, r.measure]
                value[at] = r.value
                if np.isfinite(r.error):
                    old = self.sampling[at]
                    self.sampling[at] = r.error if np.isnan(old) else old + 0.1 * (r.error - old)
        known = (~np.isnan(self.errors)).sum(axis=0)
        for r, expected, z in zip(surprises.readings, surprises.expected, surprises.off, strict=True):
            at = self.at[r.column, r.measure]
            error[at] = r.value - expected
            if known[at] >= LEAST_ERRORS:
                off[at] = z
        if len(self):
            missed = np.abs(self._predictions() - value)
            held = np.where(np.isnan(self.mistakes), missed, FADING * self.mistakes + (1 - FADING) * missed)
            self.mistakes = np.where(np.isnan(missed), self.mistakes, held)
        self.values = np.vstack([self.values, value])[-WINDOW:]
        self.errors = np.vstack([self.errors, error])[-WINDOW:]
        self.offs = np.vstack([self.offs, off])[-WINDOW:]
        self.still = np.vstack([self.still, still])[-WINDOW:]
        self._tails = {}
        self._unmoved = None

    def is_still(self, reading: Reading) -> bool:
        """Whether the measure has been the same in every batch so far."""
        at = self.at.get((reading.column, reading.measure))
        return at is not None and bool(self._still()[at])

    def _make_room(self, readings: list[Reading]) -> None:
        for r in readings:
            if (r.column, r.measure) not in self.at:
                self.at[r.column, r.measure] = len(self.at)
                self.families.setdefault(r.measure, []).append(self.at[r.column, r.measure])
        self.width = len(self.families.get("null", [0]))
        more = len(self.at) - self.values.shape[1]
        if more:
            self._unmoved = None
            rows = len(self.values)
            self.values, self.errors, self.offs, self.still = (
                np.hstack([m, np.full((rows, more), np.nan)]) for m in (self.values, self.errors, self.offs, self.still)
            )
            self.mistakes = np.hstack(
                [self.mistakes.reshape(4 + len(LAGS), -1), np.full((4 + len(LAGS), more), np.nan)]
            )
            self.sampling = np.concatenate([self.sampling, np.full(more, np.nan)])

    def _predictions(self) -> Floats:
        """Predictor × measure: the median of 30, a fading mean, the last, the trend, the same place in a season."""
        values = _filled(self.values)
        middle = np.median(values[-30:], axis=0)
        weights = 0.7 ** np.arange(min(15, len(values)))[::-1]
        fading = (values[-15:] * weights[:, None]).sum(axis=0) / weights.sum()
        steps = np.diff(values[-11:], axis=0)
        trend = values[-1] + (np.median(steps, axis=0) if len(steps) else 0.0)
        seasons = [values[-lag] if len(values) >= 2 * lag else np.full(values.shape[1], np.nan) for lag in LAGS]
        return np.vstack([middle, fading, values[-1], trend, *seasons])

    def _best(self, predictions: Floats, place: NDArray[np.int_]) -> Floats:
        mistakes = np.where(np.isnan(predictions) | np.isnan(self.mistakes[:, place]), np.inf, self.mistakes[:, place])
        mistakes[1] = np.where(np.isinf(mistakes.min(axis=0)), 0.0, mistakes[1])
        best: Floats = predictions[mistakes.argmin(axis=0), np.arange(len(place))]
        return best

    def _off(self, known: list[Reading], place: NDArray[np.int_], missed: Floats) -> Floats:
        errors = np.abs(self.errors[-60:, place])
        count = (~np.isnan(errors)).sum(axis=0)
        mean = np.where(count > 0, np.nansum(errors, axis=0) / np.maximum(count, 1), np.nan)
        usual = 1.2533 * mean
        sampling = np.array([r.error for r in known])
        floor = np.array([r.least for r in known])
        typical = np.where(np.isnan(self.sampling[place]), sampling, self.sampling[place])
        usual = np.fmax(np.fmax(usual, typical), floor)
        thinner = np.fmax(0.0, np.nan_to_num(sampling) ** 2 - np.nan_to_num(typical) ** 2)
        off = missed / np.sqrt(usual**2 + thinner + 1e-24)
        way = np.array([r.way for r in known])
        off = np.where(way == EITHER, np.abs(off), np.maximum(way * off, 0.0))
        bounded: Floats = np.minimum(np.nan_to_num(off), MOST_Z)
        return bounded

    def _surprise(self, known: list[Reading], place: NDArray[np.int_], off: Floats) -> Floats:
        """−log10 of how often a step of this size comes: of the measure's own past, and of its family's."""
        past = self.offs[:, place]
        seen = (~np.isnan(past)).sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            nearly = np.nansum(np.minimum(1.0, (past / np.maximum(off, 1e-9)) ** 4), axis=0)
        family = self._of_family(known, self._still()[place], off)
        share = np.minimum(1.0, (nearly + WEIGHT * family) / (seen + WEIGHT))
        among = np.array([max(1.0, len(self.families[r.measure]) / max(1, self.width)) for r in known])
        share = np.minimum(1.0, np.maximum(share, 1e-12) * among)
        surprise: Floats = -np.log10(share) * np.clip((off - 0.5) / 1.5, 0.0, 1.0)
        return surprise

    def _still(self) -> NDArray[np.bool_]:
        """Which measures have not moved in all of the past."""
        if not len(self):
            return np.ones(len(self.at), bool)
        if self._unmoved is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                least, most = np.nanmin(self.values, axis=0), np.nanmax(self.values, axis=0)
            self._unmoved = ~(most - least > 1e-6 + 1e-6 * np.abs(most))
        return self._unmoved

    def _of_family(self, known: list[Reading], still: NDArray[np.bool_], off: Floats) -> Floats:
        """How often a measure of this kind, in any column, is off by as much."""
        found = np.ones(len(known))
        kinds: dict[tuple[str, bool], list[int]] = {}
        for i, (reading, unmoved) in enumerate(zip(known, still, strict=True)):
            if off[i] > 0:
                kinds.setdefault((reading.measure, bool(unmoved)), []).append(i)
        for (measure, unmoved), at in kinds.items():
            tail = self._tail(measure, unmoved)
            rare, of = PRIORS.get(measure, (1.0, 1.0)) if unmoved else (1.0, 1.0)
            if not len(tail) and of == 1.0:
                found[at] = 0.5
                continue
            above = len(tail) - np.searchsorted(tail, off[at])
            most = max(2.0, float(tail[-1]) if len(tail) else 2.0)
            beyond = np.minimum(1.0, most / off[at]) ** (2.0 if measure in STEEP else 1.0)
            found[at] = (above + np.where(above > 0, rare, rare * beyond)) / (len(tail) + 1 + of)
        return found

    def _tail(self, measure: str, still: bool) -> Floats:
        tail = self._tails.get((measure, still))
        if tail is None:
            places = self.families[measure]
            past = self.offs[:, places][self.still[:, places] == still]
            tail = self._tails[measure, still] = np.sort(past[~np.isnan(past)])
        return tail


def _filled(values: Floats) -> Floats:
    """Gaps filled by what came before, else by what came first after."""
    if not np.isnan(values).any():
        return values
    rows = np.where(~np.isnan(values), np.arange(len(values))[:, None], 0)
    filled = values[np.maximum.accumulate(rows, axis=0), np.arange(values.shape[1])]
    first = np.argmax(~np.isnan(values), axis=0)
    return np.where(np.isnan(filled), values[first, np.arange(values.shape[1])], filled)
