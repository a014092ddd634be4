"""`python -m bench.quality [--steps N] [--feeds A,B]`: how well the detector tells bad deliveries from good ones.

Each figure is the mean over the feeds. A corruption counts from 5 % of the rows on; names that end in `_all` count
those of 1 % as well. `held_out`: feeds that were not looked at while the detector was built.
"""

import argparse
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from statistics import fmean

import numpy as np

from bench.figures import Figure, at_least, at_most, report, table
from bench.quality.corruptions import KINDS
from bench.quality.feeds import Feed, feeds
from bench.quality.replay import CLEAN, OURS, Judged, replay

RIVALS = ("3_sigma", "3_sigma_calibrated", "knn")
COUNTS_FROM = 0.05


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=6, help="batches of each feed that are corrupted")
    parser.add_argument("--feeds", default="", help="only these, divided by commas; nothing is written")
    options = parser.parse_args()
    chosen = [feed for feed in feeds() if not options.feeds or feed.name in options.feeds.split(",")]
    with ProcessPoolExecutor(2) as pool:
        judged = list(pool.map(replay, chosen, [options.steps] * len(chosen)))
    figures = figures_of(chosen, judged)
    if options.feeds:
        print(table(figures))
        return 0
    return report("bench-quality", figures)


def figures_of(chosen: list[Feed], judged: list[list[Judged]]) -> list[Figure]:
    apart = [found for feed, found in zip(chosen, judged, strict=True) if feed.held_out]
    figures = _macro(judged, "")
    for kind in KINDS:
        known = [found for found in judged if any(one.kind == kind for one in found)]
        if known:
            figures += _of_kind(known, kind)
    for feed, found in zip(chosen, judged, strict=True):
        figures += _of_feed(found, f"_of_{feed.name}")
    return figures + (_macro(apart, "_held_out") if apart else [])


def _macro(judged: list[list[Judged]], end: str) -> list[Figure]:
    figures = []
    for by in (OURS, *RIVALS):
        name = end if by == OURS else f"_{by}{end}"
        told = "the published detectors of the same run" if by == OURS else "this is one of the rivals"
        alarms = _mean(judged, by, _false_alarms)
        recall = _mean(judged, by, lambda found, by: _over_kinds(found, by, _recall))
        area = _mean(judged, by, lambda found, by: _over_kinds(found, by, _area))
        culprit = _mean(judged, by, _culprit)
        figures += [
            at_least(f"auc_macro{name}", area, 0.965, baseline=told, unit="area"),
            at_least(f"recall_macro{name}", recall, 0.85, baseline=told, unit="share"),
            at_most(f"false_alarms_per_100{name}", alarms, 2.0, baseline=told, unit="batches"),
            at_least(f"culprit_in_first_3{name}", culprit, 0.95, baseline=told, unit="share"),
        ]
    every = _mean(judged, OURS, lambda found, by: _over_kinds(found, by, _area_of_all))
    found_all = _mean(judged, OURS, lambda found, by: _over_kinds(found, by, _recall_of_all))
    blocked = _mean(judged, OURS, _false_blocks)
    return [
        *figures,
        at_least(f"auc_macro_all{end}", every, 0.95, baseline="1 % of the rows counts too", unit="area"),
        at_least(f"recall_macro_all{end}", found_all, 0.8, baseline="1 % of the rows counts too", unit="share"),
        at_most(f"false_alarms_blocking_per_100{end}", blocked, 0.3, baseline="proofs alone block", unit="batches"),
    ]


def _of_kind(judged: list[list[Judged]], kind: str) -> list[Figure]:
    areas = {by: _mean(judged, by, lambda found, by: _area(found, by, kind)) for by in (OURS, *RIVALS)}
    told = ", ".join(f"{by} {areas[by]:.3f}" for by in RIVALS)
    recall = _mean(judged, OURS, lambda found, by: _recall(found, by, kind))
    return [
        at_least(f"auc_{kind}", areas[OURS], 0.9, baseline=told, unit="area"),
        at_least(f"recall_{kind}", recall, 0.5, baseline="of all its shares from 5 %", unit="share"),
    ]


def _of_feed(found: list[Judged], end: str) -> list[Figure]:
    best = max(_over_kinds(found, by, _area) for by in RIVALS)
    return [
        at_least(f"auc{end}", _over_kinds(found, OURS, _area), 0.93, baseline=f"best rival {best:.3f}", unit="area"),
        at_most(f"false_alarms_per_100{end}", _false_alarms(found, OURS), 5.0, baseline="", unit="batches"),
        at_least(f"recall{end}", _over_kinds(found, OURS, _recall), 0.75, baseline="", unit="share"),
    ]


def _mean(judged: list[list[Judged]], by: str, figure: Callable[[list[Judged], str], float]) -> float:
    return fmean(figure(found, by) for found in judged)


def _over_kinds(found: list[Judged], by: str, figure: Callable[[list[Judged], str, str], float]) -> float:
    return fmean(figure(found, by, kind) for kind in KINDS if any(one.kind == kind for one in found))


def _of(found: list[Judged], by: str, kind: str, least: float = COUNTS_FROM) -> list[Judged]:
    return [one for one in found if one.by == by and one.kind == kind and (kind == CLEAN or one.share >= least)]


def _area(found: list[Judged], by: str, kind: str, least: float = COUNTS_FROM) -> float:
    """How often a corrupted batch scores above a clean one: the area under the ROC curve."""
    clean = np.sort([one.score for one in _of(found, by, CLEAN)])
    bad = [one.score for one in _of(found, by, kind, least)]
    above = np.searchsorted(clean, bad, "left") + np.searchsorted(clean, bad, "right")
    return float(above.mean() / 2 / len(clean))


def _area_of_all(found: list[Judged], by: str, kind: str) -> float:
    return _area(found, by, kind, 0.0)


def _recall(found: list[Judged], by: str, kind: str, least: float = COUNTS_FROM) -> float:
    return fmean(one.flagged for one in _of(found, by, kind, least))


def _recall_of_all(found: list[Judged], by: str, kind: str) -> float:
    return _recall(found, by, kind, 0.0)


def _false_alarms(found: list[Judged], by: str) -> float:
    return 100 * fmean(one.flagged for one in _of(found, by, CLEAN))


def _false_blocks(found: list[Judged], by: str) -> float:
    return 100 * fmean(one.blocked for one in _of(found, by, CLEAN))


def _culprit(found: list[Judged], by: str) -> float:
    """Of the true alarms about columns: those that name a corrupted one among the first three."""
    right = [
        not set(one.columns).isdisjoint(one.touched) for one in found if one.by == by and one.touched and one.flagged
    ]
    return fmean(right) if right else 0.0


if __name__ == "__main__":
    sys.exit(main())
