"""From a verdict to an act: rules may ask for a reprocessing or a quarantine, and a rollout stops at a wave that looks
wrong.

Only a proof does either, from 5 % of the rows on. What is merely unusual is told, and holds a rollout for a person; it
asks for nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import psycopg

from monitoring.verdicts.models import QualityVerdict
from reprocessing import triggers
from reprocessing.planning import NOTHING, CannotPlanError, Options
from reprocessing.rule_kinds import Kind, Seen
from reprocessing.wave_checks import FAIL, INCONCLUSIVE, PASS, Check

NAME = "quality verdict"
QUARANTINE = "quality verdict, quarantine"


def _whole_runs(_connection: psycopg.Connection, extract: str, runs: list[UUID]) -> tuple[list[UUID], Options]:
    return runs, Options(extracts=(extract,))


BAD_VERDICT = Kind(
    NAME,
    "Quality verdict bad",
    "A delivered file is proven wrong (not merely unusual): the files of its load run are read again.",
    _whole_runs,
    once=True,
)


def _wrong_files(_connection: psycopg.Connection, extract: str, runs: list[UUID]) -> tuple[list[UUID], Options]:
    """The files of these runs that are proven wrong, and that nobody has said is right. Raises CannotPlanError."""
    wrong = QualityVerdict.objects.refused().filter(
        extract=extract, load_run_id__in=runs, level=QualityVerdict.Level.BLOCK
    )
    found = dict(wrong.values_list("load_run_file_id", "load_run_id"))
    if not found:
        raise CannotPlanError("Somebody has answered meanwhile that the file is right. Nothing was asked for.")
    return list(dict.fromkeys(found.values())), Options(source=NOTHING, files=frozenset(found))


WRONG_QUARANTINED = Kind(
    QUARANTINE,
    "Quality verdict bad: quarantine",
    "A delivered file is proven wrong (not merely unusual): it is quarantined, so that nothing of it counts.",
    _wrong_files,
    once=True,
)


def tell(verdict: QualityVerdict, made_by: UUID | None, now: datetime) -> int:
    """Report a block to the rules that watch for one; how many of them heard it."""
    if verdict.level != QualityVerdict.Level.BLOCK:
        return 0
    told = f"a file of {verdict.extract} is wrong: {verdict.sentence}"
    seen = Seen(verdict.extract, verdict.load_run_id, f"verdict on {verdict.load_run_file_id}", told, made_by)
    return sum(triggers.report(kind.name, [seen], now) for kind in (BAD_VERDICT, WRONG_QUARANTINED))


def check(verdicts: Sequence[QualityVerdict]) -> Check | None:
    if not verdicts:
        return None
    levels = QualityVerdict.Level
    blocked = [v for v in verdicts if v.level == levels.BLOCK and not v.counts]
    warned = [v for v in verdicts if v.level == levels.WARN and not v.counts]
    worst = sorted(blocked or warned, key=lambda v: -v.score)
    result = FAIL if blocked else INCONCLUSIVE if warned else PASS
    told = worst[0].sentence if worst else f"{len(verdicts):,} files like those before."
    return Check("quality", result, f"{len(worst):,} of {len(verdicts):,} files", "0", told)
