"""Every measure of one batch as readings: its own, and those against what the feed held before."""

from math import asin, sqrt

import numpy as np

from monitoring.quality.memory import Memory, orders
from monitoring.quality.profile import Column, Profile
from monitoring.quality.series import DOWN, EITHER, UP, Reading

ROWS = ""  # what concerns no column
PAIR = "\x1f"
EITHER_WAY = frozenset({"null", "zero", "negative", "whole", "foreign", "order", "same"})
UPWARD = frozenset({"distance", "steps", "absent", "mask_distance", "gram_distance", "most", "length_most"})
DOWNWARD = frozenset({"least", "length_least", "end", "end_down"})
OF_THE_END = frozenset({"end", "end_down", "final", "month_left", "weekday_end", "clock_end"})
OF_DAYS = frozenset({"first", "final", "day", "early", "late", "q25", "q75", "end", "end_down"})
# What a column of the batch's own date does at every step.
STAMPED = frozenset(
    (
        *("new_value", "new_gram", "absent", "steps", "beyond", "distance", "gram_distance", "mask_distance", "mean"),
        *("least", "most", "q5", "q25", "q50", "q75", "q95", "size", "log_spread", "sentinel", "nines", "zero"),
        *("negative", "backward", "day", "first", "final", "early", "late", "clock", "end", "month_left"),
        *("weekday_end", "clock_end", "end_down"),
    )
)


def readings(profile: Profile, memory: Memory) -> list[Reading]:
    rows = profile.rows
    found = [
        Reading(ROWS, "rows", float(np.log1p(rows)), 0.0, EITHER, 0.5 / (rows + 1.0)),
        share(ROWS, "again", profile.again, rows),
    ]
    whole, core = memory.again(profile)
    found += [share(ROWS, "redelivered", whole * rows, rows), share(ROWS, "redelivered_core", core * rows, rows)]
    beyond = memory.beyond(profile)
    stamps = {name for name, column in profile.columns.items() if memory.is_stamp(column)}
    for name, column in profile.columns.items():
        mine = list(_of_column(column, memory, beyond.get(name, {}), rows))
        found += [r for r in mine if name not in stamps or r.measure not in STAMPED]
    for pair, (less, same) in orders(profile).items():
        if stamps.isdisjoint(pair.split(PAIR)):
            found += [share(pair, "order", less, rows), share(pair, "same", same, rows)]
    for pair, count in memory.unusual_company(profile).items():
        if stamps.isdisjoint(pair.split(PAIR)):
            found.append(share(pair, "company", count, rows))
    found += [share(pair, "lone_null", count, rows) for pair, count in memory.lone_nulls(profile).items()]
    return found


def _of_column(column: Column, memory: Memory, beyond: dict[str, float], rows: int) -> "list[Reading]":
    name = column.name
    shares = {**column.shares, **memory.shares(column), **beyond}
    found = [share(name, measure, count, rows) for measure, count in shares.items()]
    kept = max(1.0, column.filled - column.shares.get("null", 0.0))
    for measure, value in {**column.levels, **memory.levels(column)}.items():
        error = column.errors.get(measure, 0.0)
        found.append(Reading(name, measure, value, error, way(measure), _least(column, measure, value, kept)))
    return found


def way(measure: str) -> int:
    return UP if measure in UPWARD else DOWN if measure in DOWNWARD else EITHER


def _least(column: Column, measure: str, value: float, kept: float) -> float:
    """A difference that one row may make."""
    if measure in ("distance", "absent", "gram_distance", "mask_distance", "steps"):
        return 0.5 / sqrt(kept)
    if measure in OF_DAYS and "day" in column.levels:
        return 0.02 * float(column.levels["final"] - column.levels["first"]) + 1e-3
    if measure in ("month_left", "weekday_end", "clock_end"):
        return 0.02
    if measure in ("end", "end_down") and not len(column.marks):
        return 0.05
    if measure in ("least", "most", "end", "end_down"):
        return 0.25 * float(np.power(10.0, column.levels.get("log_spread", -9.0))) + 1e-6
    if measure in ("distinct", "top", "as_number", "as_time", "letters", "uppers", "digits", "spaces"):
        return 1.0 / kept
    if measure in ("entropy", "log_distinct", "size", "log_spread", "decimals", "clock"):
        return 0.02
    if measure in ("length", "length_spread", "length_least", "length_most"):
        return 0.05 if measure in ("length", "length_spread") else 1.0
    if measure == "backward":
        return 0.5
    return 1e-6 + 1e-4 * abs(value)


def share(column: str, measure: str, count: float, rows: int) -> Reading:
    """Of the rows; on a scale where sampling is equally loud everywhere."""
    part = min(1.0, max(0.0, count / rows)) if rows else 0.0
    noise = 0.5 / sqrt(max(rows, 1))
    return Reading(column, measure, asin(sqrt(part)), noise, EITHER if measure in EITHER_WAY else UP, 1e-6)
