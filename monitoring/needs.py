"""What needs a person now: each line counts exactly what its link lists. An app registers what it offers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

BAD, ATTENTION = "bad", "attention"


@dataclass(frozen=True)
class Need:
    """`count` of what `told` names after the number; `url` lists them. `worst` ones come first."""

    count: int
    told: str
    url: str
    state: str = BAD


Finder = Callable[[User, datetime], Iterable[Need]]
_known: list[Finder] = []


def register(finder: Finder) -> None:
    """Have the dashboard ask `finder` at every look: it must answer within some milliseconds, from the console's
    database; lines with a count of zero are not shown."""
    _known.append(finder)


def now_for(user: User, now: datetime) -> list[Need]:
    """The lines for this person, bad ones first, in the order of their registration."""
    found = [need for finder in _known for need in finder(user, now) if need.count]
    return sorted(found, key=lambda need: need.state != BAD)
