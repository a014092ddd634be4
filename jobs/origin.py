"""Who asked for a job, where that was no person at a page: a schedule, a trigger or a token, on behalf of its owner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from jobs.models import Job
from warehouse.errors import TellableError


class TakenError(TellableError):
    """Another process has decided about what was to be asked for, or the asker may not ask now. No job was made."""


@dataclass(frozen=True)
class Origin:
    """`told`: "schedule Nightly". `owner`: on whose behalf it asks; it is their right that counts. `by_hand`: somebody
    had it ask now, and is the one who asks. `authors`: ids of those who made or changed it; neither they nor the owner
    decide on the job.

    `path`: of its page, where everybody may see one. `depth`: how many triggers stand one behind the other, this one
    included; 0 for a schedule. `within` is called in the transaction that makes the job: what it raises keeps the job
    from being made.
    """

    told: str
    path: str
    owner: User
    authors: tuple[int, ...] = ()
    depth: int = 0
    within: Callable[[Job], None] = lambda job: None
    by_hand: bool = False

    def as_json(self) -> dict[str, Any]:
        """What the plan keeps of it, as a part of what its digest covers."""
        return {
            "told": self.told,
            "path": self.path,
            "owner": self.owner.get_username(),
            "by_hand": self.by_hand,
            "authors": sorted({*self.authors, self.owner.pk}),
            "depth": self.depth,
        }


def depth_of(job: Job | None) -> int:
    """How many triggers stand behind a job; 0 when a person or a schedule asked, or nobody knows."""
    return int(job.plan.options.get("origin", {}).get("depth", 0)) if job else 0
