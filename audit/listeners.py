"""Who hears of every act in the transaction that does it: what a listener writes is there exactly if the act is."""

from collections.abc import Callable

from audit.models import Event

Listener = Callable[[Event], object]
_known: list[Listener] = []


def register(listener: Listener) -> None:
    """Have it called with every event that transitions write. It must be quick and only write to the console's
    database: what it raises undoes the act."""
    if listener not in _known:
        _known.append(listener)


def tell(event: Event) -> None:
    for listener in _known:
        listener(event)
