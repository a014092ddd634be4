"""One feed in time order: after a warm-up each batch is judged as it came, and some of them corrupted as well."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.quality.corruptions import KINDS, SHARES, Ground
from bench.quality.feeds import Feed
from bench.quality.rivals import Rivals, statistics
from monitoring.quality.detector import Detector
from monitoring.quality.profiling import profile
from monitoring.quality.verdict import BLOCK

WARM_UP = 20
SEEDS = (1, 2, 3)
CLEAN = "clean"
OURS = "ours"


@dataclass(frozen=True)
class Judged:
    """One verdict. `touched`: the columns that were corrupted. `columns`: the first three named."""

    by: str
    kind: str
    share: float
    touched: tuple[str, ...]
    score: float
    flagged: bool
    blocked: bool
    columns: tuple[str, ...]


def replay(feed: Feed, steps: int) -> list[Judged]:
    """`steps`: how many batches are corrupted, evenly spread over the time; every batch is judged clean."""
    os.nice(max(0, 10 - os.nice(0)))
    detector, rivals, found = Detector(), Rivals(), list[Judged]()
    chosen = set(np.linspace(WARM_UP, len(feed.batches) - 1, min(steps, len(feed.batches) - WARM_UP)).astype(int))
    for at, batch in enumerate(feed.batches):
        past = feed.batches[:at]
        if at >= WARM_UP:
            found += _judge(detector, rivals, past, batch, CLEAN, 0.0, ())
            if at in chosen:
                for kind, share, changed, touched in _corrupted(past, batch, at):
                    found += _judge(detector, rivals, past, changed, kind, share, touched)
        rivals.add(statistics(batch, profile(batch)))
    return found


def _corrupted(
    past: list[pd.DataFrame], batch: pd.DataFrame, at: int
) -> Iterator[tuple[str, float, pd.DataFrame, tuple[str, ...]]]:
    for seed in SEEDS:
        dice = np.random.default_rng([seed, at])
        for kind, corrupt in KINDS.items():
            share = float(dice.choice(SHARES))
            made = corrupt(Ground(batch, past, share, dice))
            if made is not None and not _alike(made.batch, batch):
                yield kind, share, made.batch, made.columns


def _alike(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """Whether a corruption has changed nothing: swapped two equal values, say."""
    if one.shape != other.shape:
        return False
    left, right = one.astype(object), other.astype(object)
    return bool(((left == right) | (left.isna() & right.isna())).to_numpy().all())


def _judge(
    detector: Detector,
    rivals: Rivals,
    past: list[pd.DataFrame],
    batch: pd.DataFrame,
    kind: str,
    share: float,
    touched: tuple[str, ...],
) -> Iterator[Judged]:
    verdict = detector.fit_step(past, batch)
    named = tuple(verdict.columns[:3])
    yield Judged(OURS, kind, share, touched, verdict.score, verdict.flagged, verdict.level == BLOCK, named)
    for name, opinion in rivals.opinions(statistics(batch, profile(batch))).items():
        yield Judged(name, kind, share, touched, opinion.score, opinion.flagged, False, tuple(opinion.columns[:3]))
