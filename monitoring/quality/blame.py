"""From many surprises to one score, and to the columns that it comes from.

In a column, surprises of different kinds support one another, each further one by half; those of one kind count once.
"""

from collections import defaultdict
from dataclasses import dataclass

from monitoring.quality.measures import OF_THE_END, PAIR, ROWS
from monitoring.quality.series import Surprises

SUPPORT = (1.0, 0.5, 0.25, 0.12)
OF_A_PAIR = 0.8  # each of two columns is blamed for what is wrong between them
OF_ROWS = 1.6  # of the rows there are fewer kinds of surprise to support one another
SECOND = 0.3  # a second column that looks wrong counts so much
KINDS = {
    "empty": "null blank sentinel nines zero lone_null",
    "format": "broken ragged foreign not_number untimely as_number as_time new_mask mask_distance whole over1 over2"
    " over4 decimals",
    "new": "new_value new_gram gram_distance company",
    "range": "beyond least most negative",
    "text": "length length_least length_most length_spread letters uppers digits spaces",
    "spread": "distinct top entropy log_distinct distance absent",
    "level": "mean log_spread size q5 q25 q50 q75 q95 steps day early late clock first backward",
    "pair": "order same",
    "alike": "mistyped cut_off",
    "volume": "rows",
    "again": "again",
    "stale": "redelivered redelivered_core",
}
_KIND = {measure: kind for kind, measures in KINDS.items() for measure in measures.split()}
_KIND |= dict.fromkeys(OF_THE_END, "end")


@dataclass(frozen=True)
class Blame:
    """`columns`: worst first, with what each weighs; "" is the rows. `worst`: column → its surprises, worst first, as
    places in the surprises."""

    score: float
    columns: tuple[tuple[str, float], ...]
    worst: dict[str, list[int]]


def blame(surprises: Surprises) -> Blame:
    best: dict[str, dict[str, tuple[float, int]]] = defaultdict(dict)
    for at, (reading, surprise) in enumerate(zip(surprises.readings, surprises.surprise, strict=True)):
        if surprise < 0.3:
            continue
        names, kind = reading.column.split(PAIR), _KIND[reading.measure]
        weighed = float(surprise) * (OF_A_PAIR if len(names) > 1 else 1.0)
        concerned = [*names, ROWS] if kind == "end" else names
        for name in concerned:
            if weighed > best[name].get(kind, (0.0, 0))[0]:
                best[name][kind] = (weighed, at)
    weights, worst = {}, {}
    for name, kinds in best.items():
        ordered = sorted(kinds.values(), reverse=True)
        support = sum(weight * found for weight, (found, _) in zip(SUPPORT, ordered, strict=False))
        weights[name] = support * (OF_ROWS if name == ROWS else 1.0)
        worst[name] = [at for _, at in ordered]
    columns = sorted(weights.items(), key=lambda item: -item[1])
    score = sum(weight * found for weight, (_, found) in zip((1.0, SECOND), columns, strict=False))
    return Blame(score, tuple(columns), worst)
