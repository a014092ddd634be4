"""A surprise in a plain sentence: column, size, and what was expected. Never a value of a row."""

from math import expm1, sin

from monitoring.quality.measures import PAIR, ROWS
from monitoring.quality.series import Reading

_SHARES = {
    "null": "is empty",
    "blank": "is blank",
    "sentinel": "holds a word for missing",
    "nines": "holds a number that stands for missing",
    "zero": "is zero",
    "negative": "is negative",
    "whole": "is a whole number",
    "over1": "has more than 1 decimal",
    "over2": "has more than 2 decimals",
    "over4": "has more than 4 decimals",
    "broken": "has text in a wrong encoding",
    "ragged": "has spaces at its ends",
    "foreign": "has letters beyond ASCII",
    "not_number": "is no number",
    "untimely": "is no date",
    "new_value": "has a value never seen before",
    "new_mask": "has a pattern never seen before",
    "new_gram": "has a sequence of letters never seen before",
    "beyond": "lies beyond all earlier values",
    "again": "stands in the batch more than once",
    "mistyped": "is a letter away from a more frequent value",
    "cut_off": "is the beginning of another value",
    "redelivered": "was delivered before",
    "redelivered_core": "was delivered before under another date",
}
_PAIRS = {
    "order": "{0} is less than {1}",
    "same": "{0} equals {1}",
    "company": "{0} and {1} hold familiar values that never stood together",
    "lone_null": "{0} is empty though {1} is not",
}
_LEVELS = {
    "as_number": "the share that reads as numbers",
    "as_time": "the share that reads as dates",
    "distinct": "distinct values per row",
    "log_distinct": "the count of distinct values",
    "top": "the share of the most frequent value",
    "entropy": "how evenly the values divide",
    "distance": "how the values divide",
    "absent": "the share of usual values that are missing",
    "mask_distance": "how the patterns divide",
    "gram_distance": "how the letters divide",
    "steps": "how the numbers are distributed",
    "mean": "the mean",
    "log_spread": "the spread",
    "size": "the order of magnitude",
    "least": "the least value",
    "most": "the greatest value",
    "decimals": "the decimals",
    "length": "the mean length",
    "length_least": "the least length",
    "length_most": "the greatest length",
    "length_spread": "the spread of the lengths",
    "letters": "the share of letters",
    "uppers": "the share of capitals",
    "digits": "the share of digits",
    "spaces": "the share of spaces",
    "q5": "the 5 % quantile",
    "q25": "the lower quartile",
    "q50": "the median",
    "q75": "the upper quartile",
    "q95": "the 95 % quantile",
    "day": "the middle date",
    "first": "the first date",
    "final": "the last date",
    "early": "the distance of the first date from the middle",
    "late": "the distance of the last date from the middle",
    "clock": "the time of day",
    "backward": "the order in time",
    "end": "the last row",
    "end_down": "the last row",
    "month_left": "the days left in the month at the end",
    "weekday_end": "the weekday of the last date",
    "clock_end": "the time of day of the last date",
}


def told(reading: Reading, expected: float, off: float) -> str:
    names = reading.column.split(PAIR)
    if reading.measure == "rows":
        return f"{expm1(reading.value):,.0f} rows, about {max(0.0, expm1(expected)):,.0f} expected."
    if reading.measure in _PAIRS and len(names) == 2:
        said = _PAIRS[reading.measure].format(*names)
        return f"In {_part(reading.value)} of the rows {said} (usually {_part(expected)})."
    if reading.measure in _SHARES:
        subject = "A row" if reading.column == ROWS else names[0]
        return (
            f"{subject} {_SHARES[reading.measure]} in {_part(reading.value)} of the rows (usually {_part(expected)})."
        )
    said = _LEVELS.get(reading.measure, reading.measure)
    return f"{names[0]}: {said} is off by {min(off, 999.0):,.1f} of its usual steps."


def _part(angle: float) -> str:
    """Shares are weighed as angles: asin √p."""
    return f"{100 * sin(min(max(angle, 0.0), 1.5708)) ** 2:.1f} %"
