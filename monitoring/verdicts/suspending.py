"""Who suspends the loading of an extract, and who resumes it: people with the right, and Restage itself where somebody
has asked for that."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from access import rights
from audit.reasons import said
from audit.transitions import record
from monitoring.verdicts.models import QualityVerdict
from warehouse import suspensions
from warehouse.connections import connect
from warehouse.errors import TellableError
from warehouse.suspensions import NotSuspendedError

LONGEST = 500


class NoReasonError(TellableError):
    """Who suspends or resumes says why."""


def suspend(url: str, extract: str, *, reason: str, actor: User) -> bool:
    """Whether it was not suspended already. Raises NotAllowedError, NoReasonError."""
    said = _said(reason)
    with _acting(url, actor) as connection:
        record(actor, "loading suspended", actor, {"extract": extract, "reason": said})
        changed = suspensions.suspend(connection, extract, reason=said, actor=actor.get_username())
        transaction.set_rollback(not changed)
    return changed


def resume(url: str, extract: str, *, why: str, actor: User) -> None:
    """Raises NotAllowedError, NoReasonError, NotSuspendedError."""
    said = _said(why)
    with _acting(url, actor) as connection:
        record(actor, "loading resumed", actor, {"extract": extract, "reason": said})
        suspensions.resume(connection, extract, why=said, actor=actor.get_username())


def let_suspend_itself(url: str, extract: str, *, on: bool, why: str, actor: User) -> bool:
    """Whether that changes anything. Raises NotAllowedError, NoReasonError."""
    said = _said(why)
    with _acting(url, actor) as connection:
        detail = {"extract": extract, "reason": said}
        record(actor, "loading suspends itself" if on else "loading does not suspend itself", actor, detail)
        changed = suspensions.let_suspend_itself(connection, extract, on=on, why=said, actor=actor.get_username())
        transaction.set_rollback(not changed)
    return changed


@contextmanager
def _acting(url: str, actor: User) -> Iterator[psycopg.Connection]:
    """For what a person does in the warehouse, with its event in the console: neither without the other."""
    rights.demand(actor, rights.SUSPEND)
    with connect(url, purpose="suspension") as connection, transaction.atomic():
        yield connection


def after_verdict(connection: psycopg.Connection, verdict: QualityVerdict) -> bool:
    """Suspend the extract of a file that is proven wrong, where somebody has asked for that. Can be called again."""
    if not _proven(QualityVerdict.objects.filter(pk=verdict.pk)).exists():
        return False
    if verdict.extract not in suspensions.suspending_themselves(connection):
        return False
    return _suspend_for(connection, verdict)


def _proven(verdicts: QuerySet[QualityVerdict]) -> QuerySet[QualityVerdict]:
    """Those of files that are proven wrong, and nobody has answered."""
    return verdicts.filter(level=QualityVerdict.Level.BLOCK, state=QualityVerdict.State.OPEN)


def _suspend_for(connection: psycopg.Connection, verdict: QualityVerdict) -> bool:
    told = f"File {verdict.load_run_file_id} is proven wrong: {verdict.sentence}"[:LONGEST]
    return suspensions.suspend(
        connection, verdict.extract, reason=told, actor=suspensions.ITSELF, file=verdict.load_run_file_id
    )


def after_answer(url: str, verdict: QualityVerdict, actor: User) -> bool:
    """Resume what this file has suspended, where a person says that nothing is wrong with it; whether the extract is
    loaded again. Where another file has been proven wrong since, and nobody has answered, it stays suspended for that
    one. To be called in the transaction of the answer: neither without the other."""
    if not verdict.counts:
        return False
    why = f"Its file {verdict.load_run_file_id} was answered: {verdict.get_state_display().lower()}. {verdict.reason}"
    since = QualityVerdict.objects.filter(extract=verdict.extract, judged_at__gte=verdict.judged_at)
    other = _proven(since.exclude(pk=verdict.pk)).order_by("judged_at", "pk").first()
    with connect(url, purpose="suspension") as connection, connection.transaction():
        try:
            suspensions.resume(
                connection,
                verdict.extract,
                why=why[:LONGEST],
                actor=actor.get_username(),
                file=verdict.load_run_file_id,
            )
        except NotSuspendedError:
            return False
        if other:
            _suspend_for(connection, other)
    return other is None


def _said(reason: str) -> str:
    if not said(reason):
        raise NoReasonError("Nothing was changed: say why.")
    return said(reason)[:LONGEST]
