"""How far the decision about a request is: which stages have their approvals, and who may give the next one.

Pure: the policy as it was kept, and the approvals, are arguments.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from approvals.policy import Policy, Stage
from warehouse.amounts import things

MOST_APPROVALS = 20


class UnreadablePolicyError(ValueError):
    """What was kept as the policy is none: nobody can decide by it."""


@dataclass(frozen=True)
class Given:
    """One approval: by which person, for which stage."""

    person: int
    stage: int


@dataclass(frozen=True)
class Standing:
    """`given`: approvals by distinct people of each stage; `also`: a role that may approve beside those of the
    policy ("": none)."""

    policy: Policy
    given: tuple[int, ...]
    also: str = ""

    @property
    def complete(self) -> bool:
        """Whether every stage has its approvals. A policy without stages never is: nobody may approve."""
        return bool(self.given) and not self._lacking

    @property
    def _lacking(self) -> list[int]:
        wanted = enumerate(zip(self.policy.stages, self.given, strict=True))
        return [number for number, (stage, given) in wanted if given < stage.approvals]

    @property
    def open(self) -> list[int]:
        """The stages that can be approved now."""
        return self._lacking[:1] if self.policy.in_sequence else self._lacking

    def stage_for(self, roles: Collection[str]) -> tuple[int, str] | None:
        """The open stage, and the role, for which the holder of these roles decides: of several stages the one that
        names the fewest roles."""
        for number in sorted(self.open, key=lambda number: len(self.policy.stages[number].groups)):
            named = [*self.policy.stages[number].groups, *([self.also] if self.also else [])]
            if (role := next((role for role in named if role in roles), None)) is not None:
                return number, role
        return None

    @property
    def wanted(self) -> int:
        return sum(stage.approvals for stage in self.policy.stages)

    @property
    def waits_for(self) -> str:
        """ "archive admin", "reviewer or administrator and ops"; "" when it is complete."""
        named = [
            _roles([*self.policy.stages[number].groups, *([self.also] if self.also else [])]) for number in self.open
        ]
        return " and ".join(dict.fromkeys(named))

    def __str__(self) -> str:
        """ "1 of 2 approvals, waiting for archive admin"."""
        given = min(sum(self.given), self.wanted)
        told = f"{given} of {things(self.wanted, 'approval')}"
        return f"{told}, waiting for {self.waits_for}" if self.waits_for else told


def _roles(names: Sequence[str]) -> str:
    return " or ".join(dict.fromkeys(names))


def read(kept: Any) -> Policy:
    """The policy that was kept with a request. Raises UnreadablePolicyError for whatever is not exactly one."""
    try:
        policy = Policy.of(kept)
        if policy.as_json() != Policy.of(policy.as_json()).as_json() or not _whole(kept, policy):
            raise ValueError("It is not whole.")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadablePolicyError(
            "The policy of this request cannot be read, so nobody can decide by it. Withdraw the request and make a"
            " new plan."
        ) from error
    return policy


def _whole(kept: dict[str, Any], policy: Policy) -> bool:
    stages: list[dict[str, Any]] = kept["stages"]
    return (
        isinstance(kept["in_sequence"], bool)
        and all(isinstance(stage["groups"], list | tuple) and type(stage["approvals"]) is int for stage in stages)
        and all(_possible(stage) for stage in policy.stages)
    )


def _possible(stage: Stage) -> bool:
    names = all(isinstance(name, str) and name for name in stage.groups)
    return bool(stage.groups) and names and 1 <= stage.approvals <= MOST_APPROVALS


def of(policy: Policy, approvals: Collection[Given], also: str = "") -> Standing:
    """A person who approved more than one stage counts for the first of them only."""
    stage_of = {one.person: one.stage for one in sorted(approvals, key=lambda one: one.stage, reverse=True)}
    counted = list(stage_of.values())
    return Standing(policy, tuple(map(counted.count, range(len(policy.stages)))), also)
