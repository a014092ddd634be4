"""What the decision about one plan needs; kept with the request as it was when it was asked."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Stage:
    """So many approvals by distinct people, each in one of these groups (roles)."""

    groups: tuple[str, ...]
    approvals: int = 1


@dataclass(frozen=True)
class Policy:
    """`rule` and `version` say what asked, `why` says it in words; no stages: nobody may approve, it is refused.

    Stages are open one after the other (`in_sequence`) or all at once.
    """

    rule: str
    version: int
    why: tuple[str, ...]
    stages: tuple[Stage, ...]
    in_sequence: bool = True

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, found: dict[str, Any]) -> "Policy":
        """The policy that as_json() wrote. Raises KeyError, TypeError, ValueError where it is not whole."""
        stages = tuple(Stage(tuple(stage["groups"]), int(stage["approvals"])) for stage in found["stages"])
        return cls(found["rule"], int(found["version"]), tuple(found["why"]), stages, bool(found["in_sequence"]))
