"""move(): the only way in which the state of an object changes; the trail's event is part of it."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import User
from django.db import models, transaction

from audit import circumstances, listeners
from audit.models import Event

SYSTEM = "Restage"


class StateChangedError(RuntimeError):
    """The object is not in a state from which this move is possible; another move came first. Nothing was changed."""


def record(
    actor: User | None,
    action: str,
    subject: models.Model,
    detail: dict[str, Any] | None = None,
    *,
    result: str = Event.Result.DONE,
) -> Event:
    """Add an act to the trail. `actor` None: Restage itself. A `reason` in the detail is shown as such."""
    return write(actor, action, f"{subject._meta.model_name}:{subject.pk}", detail, result=result)


def write(
    actor: User | None,
    action: str,
    subject: str,
    detail: dict[str, Any] | None = None,
    *,
    result: str = Event.Result.DONE,
) -> Event:
    """As record(), about what has no model of ours: "kind:id"."""
    around = circumstances.current()
    with transaction.atomic(savepoint=False):
        event = Event.objects.create(
            actor=actor,
            actor_name=actor.get_username() if actor else SYSTEM,
            on_behalf_of=around.on_behalf_of if actor is None else "",
            how=around.how,
            action=action,
            subject=subject,
            result=result,
            detail={**(detail or {}), **({"token": around.token} if around.token else {})},
            address=around.address,
            request_id=around.request_id,
        )
        listeners.tell(event)
    return event


def move(
    subject: Any,
    to: str,
    *,
    among: Collection[str],
    actor: User | None,
    where: dict[str, Any] | None = None,
    detail: dict[str, Any] | None = None,
    **fields: Any,
) -> None:
    """Set `state` and `fields` if the row is still in one of the states `among` (and `where` holds), and record it: as
    what people call the model, and the state.

    Raises StateChangedError.
    """
    model = type(subject)
    with transaction.atomic():
        moved = model.objects.filter(pk=subject.pk, state__in=among, **(where or {})).update(state=to, **fields)
        if not moved:
            raise StateChangedError(f"This {model._meta.verbose_name} is not {' or '.join(among)} any more.")
        former = subject.state
        record(actor, f"{model._meta.verbose_name} {to}", subject, {"from": former, **(detail or {})})
    subject.refresh_from_db()
