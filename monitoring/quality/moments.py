"""What the numbers and days of a column are like, and how its values divide: levels, and their errors by sampling."""

import numpy as np

from monitoring.quality.profile import Bag, Floats


def spread(bag: Bag, kept: int) -> tuple[dict[str, float], dict[str, float]]:
    """How the values divide: distinct per row, share of the most frequent, entropy."""
    if not kept:
        return {"distinct": np.nan, "top": np.nan, "entropy": np.nan}, {}
    shares = bag.counts / kept
    top = float(shares.max())
    levels = {
        "distinct": len(bag.hashes) / kept,
        "top": top,
        "entropy": float(-(shares * np.log(shares)).sum()),
        "log_distinct": float(np.log(len(bag.hashes))),
    }
    unique = float((bag.counts == 1).sum()) / kept
    return levels, {
        "top": float(np.sqrt(top * (1 - top) / kept)),
        "distinct": float(np.sqrt(unique * (1 - unique) / kept)),
        "entropy": float(np.sqrt(max(0.0, (shares * np.log(shares) ** 2).sum() - levels["entropy"] ** 2) / kept)),
    }


def of_numbers(
    kept: Floats, decimals: Floats, counts: Floats
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Of numbers and how many rows hold each."""
    shares = {
        "zero": float(counts[kept == 0].sum()),
        "negative": float(counts[kept < 0].sum()),
        "whole": float(counts[decimals == 0].sum()),
        "over1": float(counts[decimals > 1].sum()),
        "over2": float(counts[decimals > 2].sum()),
        "over4": float(counts[decimals > 4].sum()),
        "nines": float(counts[np.isin(kept, (-1, -9, -99, -999, -9999, 999, 9999, 99999, 999999))].sum()),
    }
    if not len(kept):
        return shares, {}, {}
    total = counts.sum()
    scaled = np.clip(kept, -1e100, 1e100)
    mean = float((scaled * counts).sum() / total)
    deviation = float(np.sqrt(((scaled - mean) ** 2 * counts).sum() / total))
    order = np.argsort(kept)
    at = np.searchsorted(np.cumsum(counts[order]) / total, (0.05, 0.25, 0.5, 0.75, 0.95))
    points = scaled[order][np.minimum(at, len(kept) - 1)]
    size = np.log10(np.abs(scaled) + 1e-9)
    levels = {
        "mean": mean,
        "log_spread": float(np.log10(deviation + 1e-9)),
        "least": float(scaled.min()),
        "most": float(scaled.max()),
        "size": float((size * counts).sum() / total),
        "decimals": float((decimals * counts).sum() / total),
    } | {f"q{q}": float(p) for q, p in zip((5, 25, 50, 75, 95), points, strict=True)}
    root = np.sqrt(total)
    iqr = max(points[3] - points[1], 1e-12)
    errors = {
        "mean": deviation / root,
        "log_spread": float(0.5 / root),
        "size": float(size.std() / root),
        "q5": 2.1 * deviation / root,
        "q25": 1.0 * iqr / root,
        "q50": 0.93 * iqr / root,
        "q75": 1.0 * iqr / root,
        "q95": 2.1 * deviation / root,
        "decimals": float(decimals.std() / root),
    }
    return shares, levels, errors


def of_days(days: Floats) -> tuple[dict[str, float], dict[str, float]]:
    if not len(days):
        return {}, {}
    middle = float(np.median(days))
    clock = days - np.floor(days)
    span = days - middle
    root = np.sqrt(len(days))
    levels = {
        "day": middle,
        "first": float(days.min()),
        "final": float(days.max()),
        "early": float(span.min()),
        "late": float(span.max()),
        "q25": float(np.quantile(span, 0.25)),
        "q75": float(np.quantile(span, 0.75)),
        "clock": float(clock.mean()),
        **_ends(float(days.max())),
    }
    return levels, {
        "clock": float(clock.std() / root),
        "q25": float(span.std() / root),
        "q75": float(span.std() / root),
    }


def _ends(final: float) -> dict[str, float]:
    """Where in its month, week and day the last time lies: what a file cut short shows."""
    if not -700_000 < final < 2_900_000:
        return {}
    last = np.datetime64(int(np.floor(final)), "D")
    month_end = (last.astype("datetime64[M]") + 1).astype("datetime64[D]")
    left = float((month_end - last).astype(int))
    return {
        "month_left": left,
        "weekday_end": float((int(np.floor(final)) + 3) % 7),
        "clock_end": final - np.floor(final),
    }


def decimals_of(numbers: Floats) -> Floats:
    """Digits after the point that a number needs, 9 for more than 6."""
    needed = np.full(len(numbers), 9.0)
    for digits in (6, 5, 4, 3, 2, 1, 0):
        scaled = numbers * 10.0**digits
        needed[np.abs(scaled - np.round(scaled)) <= np.maximum(1e-9 * np.abs(scaled), 1e-9)] = digits
    return needed
