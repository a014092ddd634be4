"""Schedules and triggers alike: who may write them, pause, resume, stop and delete them."""

from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from access import rights
from audit.transitions import move, record
from jobs.naming import naming
from reprocessing.asking_models import Schedule, Trigger
from warehouse.errors import TellableError

Asks = Schedule | Trigger


class NoOwnerError(TellableError):
    """The owner may not ask for reprocessing; the message says what to do. Nothing was changed."""


def possible_owners() -> QuerySet[User, User]:
    """Active users whose roles let them ask for reprocessing."""
    return rights.holders(rights.REPROCESS).order_by("username")


def save(asker: Asks, actor: User) -> None:
    """Keep a new or changed one; its writer counts among its authors.

    Raises PermissionDenied, NoOwnerError, NameTakenError.
    """
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    _demand_owner(asker)
    with naming(f"a {asker._meta.model_name}"):
        new = asker.pk is None
        if not new:
            _keep_what_others_did(asker)
        asker.written_by(actor)
        asker.save()
        record(actor, f"{asker._meta.model_name} {'created' if new else 'changed'}", asker, _told(asker))


def _keep_what_others_did(asker: Asks) -> None:
    """Lock the row; what is no part of its form is as it stands now: a pause, its authors, which times were due."""
    locked = type(asker)._default_manager.select_for_update().filter(pk=asker.pk).first()
    if locked is None:
        return
    asker.state, asker.why = locked.state, locked.why
    asker.authors = sorted({*asker.authors, *locked.authors})
    if isinstance(asker, Schedule) and isinstance(locked, Schedule):
        asker.until = max(asker.until, locked.until)


def _demand_owner(asker: Asks) -> None:
    if not rights.may(asker.owner, rights.REPROCESS):
        raise NoOwnerError(
            f"{asker.owner.get_username()} may not {rights.REPROCESS}. Choose an owner who may, or give them the role."
        )


def _told(asker: Asks) -> dict[str, Any]:
    """What an event keeps of it: every field that decides what is asked for."""
    left_out = {"id", "state", "why", "authors", "created_at", "until"}
    fields = [field for field in asker._meta.concrete_fields if field.name not in left_out]
    return {field.name: field.value_from_object(asker) for field in fields} | {"owner": asker.owner.get_username()}


def pause(asker: Asks, actor: User, *, reason: str) -> None:
    """Raises PermissionDenied, and StateChangedError where it is not active."""
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    move(
        asker,
        asker.State.PAUSED,
        among=[asker.State.ACTIVE],
        actor=actor,
        detail={"reason": reason},
        why=f"{actor.get_username()}: {reason}"[:500],
    )


def resume(asker: Asks, actor: User, **fields: Any) -> None:
    """Let it ask again. Raises PermissionDenied, NoOwnerError, and StateChangedError where it is active."""
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    _demand_owner(asker)
    move(asker, asker.State.ACTIVE, among=[asker.State.PAUSED, asker.State.STOPPED], actor=actor, why="", **fields)


def stop(asker: Asks, why: str) -> None:
    """It cannot go on. Raises StateChangedError where it is not active any more."""
    move(asker, asker.State.STOPPED, among=[asker.State.ACTIVE], actor=None, detail={"why": why}, why=why[:500])


def delete(asker: Asks, actor: User, *, reason: str) -> None:
    """Forget it and what came of its times; its jobs stay. Nothing is done where it is gone already. Raises
    PermissionDenied."""
    rights.demand(actor, rights.MANAGE_SCHEDULES)
    with transaction.atomic():
        if type(asker)._default_manager.select_for_update().filter(pk=asker.pk).first():
            record(actor, f"{asker._meta.model_name} deleted", asker, {**_told(asker), "reason": reason})
            asker.delete()


def lost_right(asker: Asks) -> str:
    """Why it must stop since its owner may not ask any more ("": they may)."""
    if rights.may(asker.owner, rights.REPROCESS):
        return ""
    return (
        f"Its owner {asker.owner.get_username()} may not {rights.REPROCESS} any more."
        " Choose another owner, then resume it."
    )
