"""Paired measuring: two ways of the same work take turns, and the figure is the median of their ratios."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import psycopg

RESULTS = Path(__file__).parent / "results"
Act = Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """One result. `goal` as a person reads it; `holds`: whether the value reaches it."""

    name: str
    value: float
    unit: str
    baseline: str
    goal: str
    holds: bool


def at_most(name: str, value: float, limit: float, *, baseline: str, unit: str = "ratio") -> Figure:
    return Figure(name, round(value, 3), unit, baseline, f"<= {limit:g}", value <= limit)


def at_least(name: str, value: float, limit: float, *, baseline: str, unit: str = "ratio") -> Figure:
    return Figure(name, round(value, 3), unit, baseline, f">= {limit:g}", value >= limit)


@dataclass(frozen=True)
class Pair:
    """Of each repetition: seconds and WAL bytes of ours and of the baseline."""

    seconds: list[tuple[float, float]]
    wal: list[tuple[int, int]]

    @property
    def time_ratio(self) -> float:
        return median(ours / theirs for ours, theirs in self.seconds)

    @property
    def wal_ratio(self) -> float:
        return median(ours / theirs for ours, theirs in self.wal)


def alternate(
    connection: psycopg.Connection,
    ours: Act,
    theirs: Act,
    *,
    before_ours: Act = lambda: None,
    before_theirs: Act = lambda: None,
    repetitions: int = 5,
) -> Pair:
    """Let the two take turns, each after its preparation and a CHECKPOINT; the first pair only warms up."""
    seconds, wal = [], []
    for turn in range(repetitions + 1):
        order = [(ours, before_ours), (theirs, before_theirs)]
        found: dict[Act, tuple[float, int]] = {}
        for act, before in order if turn % 2 else reversed(order):
            before()
            found[act] = _measured(connection, act)
        if turn:
            seconds.append((found[ours][0], found[theirs][0]))
            wal.append((found[ours][1], found[theirs][1]))
    return Pair(seconds, wal)


def _measured(connection: psycopg.Connection, act: Act) -> tuple[float, int]:
    connection.execute("CHECKPOINT")
    start, began = _wal_position(connection), time.perf_counter()
    act()
    return time.perf_counter() - began, _wal_position(connection) - start


def _wal_position(connection: psycopg.Connection) -> int:
    (position,) = connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone() or (0,)
    return int(position)


def write(target: str, figures: Iterable[Figure]) -> Path:
    """bench/results/<target>.json: figure name → value, unit, baseline, goal, holds."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{target}.json"
    told = {figure.name: {k: v for k, v in asdict(figure).items() if k != "name"} for figure in figures}
    path.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")
    return path


def told(figure: Figure) -> Figure:
    """Say it at once, as benchmarks take long; the figure itself."""
    print(f"{figure.name}: {figure.value:g} {figure.unit} (goal {figure.goal})", file=sys.stderr, flush=True)
    return figure


def report(target: str, figures: Sequence[Figure], about: str = "") -> int:
    """Print and keep them all; the exit code of a benchmark: 0 where every goal is reached."""
    print(table(figures))
    print(f"{about}{'; ' if about else ''}written to {write(target, figures)}")
    return 0 if all(figure.holds for figure in figures) else 1


def table(figures: Iterable[Figure]) -> str:
    lines = [f"{'figure':44} {'value':>10}  {'goal':10} {'holds':5}  baseline"]
    lines += [
        f"{f.name:44} {f.value:>10,.3f}  {f.goal:10} {'yes' if f.holds else 'NO':5}  {f.baseline}" for f in figures
    ]
    return "\n".join(lines)
