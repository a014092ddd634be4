"""What a person says to a verdict, and what that changes: whether later files are compared with this one.

Real: the file is wrong, and leaves the history. False alarm, expected change: it is like this now, and enters the
history, so that the next files like it pass. An answer can be changed.
"""

from datetime import datetime

from django.contrib.auth.models import User

from access import rights
from audit import reasons
from audit.transitions import move
from monitoring.verdicts.models import QualityVerdict
from warehouse.errors import TellableError

ANSWERS = (QualityVerdict.State.REAL, QualityVerdict.State.FALSE, QualityVerdict.State.EXPECTED)


class NoAnswerError(TellableError):
    """The words are no answer to a verdict."""


def answer(verdict: QualityVerdict, said: str, actor: User, *, reason: str, now: datetime) -> None:
    """Raises NotAllowedError, NoAnswerError, and StateChangedError where that answer stands already."""
    rights.demand(actor, rights.ANSWER_VERDICTS)
    if said not in ANSWERS:
        raise NoAnswerError(f"An answer is one of: {', '.join(ANSWERS)}. Nothing was changed.")
    if not reasons.said(reason):
        raise NoAnswerError("Nothing was changed: say why.")
    move(
        verdict,
        said,
        among=[state for state in QualityVerdict.State.values if state != said],
        actor=actor,
        detail={"reason": reasons.said(reason), "extract": verdict.extract, "file": verdict.load_run_file_id},
        answered_by=actor,
        answered_at=now,
        reason=reasons.said(reason)[:500],
    )
