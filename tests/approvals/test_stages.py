"""How far a decision is: stages in sequence or at once, distinct people, what is lacking in words."""

from dataclasses import replace
from typing import Any

import pytest

from approvals import standing
from approvals.policy import Policy, Stage
from approvals.standing import Given, UnreadablePolicyError

TWO = Policy("two", 1, ("It is large.",), (Stage(("reviewer",)), Stage(("archive admin",), 2)))
AT_ONCE = replace(TWO, in_sequence=False)


def of(policy: Policy, *given: tuple[int, int], also: str = "") -> standing.Standing:
    return standing.of(policy, [Given(person, stage) for person, stage in given], also)


def test_stages_open_one_after_the_other() -> None:
    assert of(TWO).open == [0]
    assert of(TWO).stage_for(["archive admin"]) is None
    assert of(TWO, (1, 0)).stage_for(["archive admin"]) == (1, "archive admin")
    assert str(of(TWO, (1, 0))) == "1 of 3 approvals, waiting for archive admin"
    assert not of(TWO, (1, 0), (2, 1)).complete
    assert of(TWO, (1, 0), (2, 1), (3, 1)).complete
    assert str(of(TWO, (1, 0), (2, 1), (3, 1))) == "3 of 3 approvals"


def test_stages_at_once_are_open_until_each_is_complete() -> None:
    assert of(AT_ONCE).open == [0, 1]
    assert of(AT_ONCE, (1, 1)).stage_for(["reviewer", "archive admin"]) == (0, "reviewer")
    assert str(of(AT_ONCE)) == "0 of 3 approvals, waiting for reviewer and archive admin"


def test_a_person_counts_once_and_for_one_stage() -> None:
    found = of(AT_ONCE, (1, 0), (1, 1), (1, 1))
    assert found.given == (1, 0)
    assert not of(TWO, (1, 0), (2, 1), (2, 1)).complete


def test_the_stage_that_names_fewest_roles_is_taken_first() -> None:
    policy = Policy("x", 1, (), (Stage(("reviewer", "ops")), Stage(("ops",))), in_sequence=False)
    assert of(policy).stage_for(["ops"]) == (1, "ops")


def test_one_more_role_may_approve_once_it_is_escalated() -> None:
    assert of(TWO).stage_for(["administrator"]) is None
    assert of(TWO, also="administrator").stage_for(["administrator"]) == (0, "administrator")
    assert "reviewer or administrator" in str(of(TWO, also="administrator"))


def test_a_policy_without_stages_is_never_complete() -> None:
    assert not of(Policy("never", 1, (), ())).complete


def test_what_was_kept_is_read_back() -> None:
    assert standing.read(TWO.as_json()) == TWO
    assert standing.read({**TWO.as_json(), "more": 1}) == TWO


GOOD = TWO.as_json()
STAGE = {"groups": ["reviewer"], "approvals": 1}
WRONG: list[dict[str, Any]] = [
    *({"approvals": wrong} for wrong in (0, -1, "1", 1.5, True, 1000)),
    *({"groups": wrong} for wrong in ([], "reviewer", [""], [1])),
]


@pytest.mark.parametrize(
    "kept",
    [
        None,
        {},
        [],
        "policy",
        *({name: value for name, value in GOOD.items() if name != left} for left in GOOD),
        {**GOOD, "stages": None},
        {**GOOD, "stages": {"0": STAGE}},
        {**GOOD, "in_sequence": "false"},
        *({**GOOD, "stages": [{**STAGE, **wrong}]} for wrong in WRONG),
    ],
)
def test_a_policy_that_is_not_whole_cannot_be_read(kept: Any) -> None:
    with pytest.raises(UnreadablePolicyError):
        standing.read(kept)
