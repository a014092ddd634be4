"""How far a piece of work is, as its worker says it and its page shows it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`what` is being done now, in words. The rest is of the whole work so far and, `_all`, of what is known of it:
    files and bytes read, records read; zeros where the work reads no files.
    """

    what: str
    files: int = 0
    files_all: int = 0
    records: int = 0
    bytes: int = 0
    bytes_all: int = 0


Told = Callable[[Progress], None]


def nobody(said: Progress) -> None:
    """For work that nobody watches."""
