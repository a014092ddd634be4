"""The history of a feed's scores as a line: points for an SVG, and what a table behind it says."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.verdicts.models import QualityVerdict

WIDTH, HEIGHT, EDGE = 640, 120, 8
SMALL_WIDTH, SMALL_HEIGHT, SMALL_EDGE = 120, 24, 3


@dataclass(frozen=True)
class Mark:
    x: str
    y: str
    verdict: QualityVerdict


@dataclass(frozen=True)
class Scores:
    """`line`, `limit`: the points of two polylines; `marks`: the verdicts that are alarms."""

    width: int
    height: int
    line: str
    limit: str
    marks: list[Mark]


def drawn(verdicts: Sequence[QualityVerdict], width: int = WIDTH, height: int = HEIGHT, edge: int = EDGE) -> Scores:
    """Scores over time, oldest first; a score far above every limit stands at the top."""
    top = max([1.0, *(1.5 * v.limit for v in verdicts), *(min(v.score, 2 * v.limit) for v in verdicts)])
    step = (width - 2 * edge) / max(1, len(verdicts) - 1)

    def place(at: int, value: float) -> tuple[str, str]:
        share = min(max(value, 0.0), top) / top
        return f"{edge + at * step:.1f}", f"{height - edge - share * (height - 2 * edge):.1f}"

    line = [place(at, verdict.score) for at, verdict in enumerate(verdicts)]
    limit = [place(at, verdict.limit) for at, verdict in enumerate(verdicts)]
    marks = [Mark(*line[at], verdict) for at, verdict in enumerate(verdicts) if verdict.alarm]
    return Scores(width, height, _points(line), _points(limit), marks)


def drawn_small(verdicts: Sequence[QualityVerdict]) -> Scores:
    return drawn(verdicts, SMALL_WIDTH, SMALL_HEIGHT, SMALL_EDGE)


def _points(found: list[tuple[str, str]]) -> str:
    return " ".join(f"{x},{y}" for x, y in found)
