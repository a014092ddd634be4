"""What looks wrong in a set of rules: two that say the same, one that nothing reaches, approvals nobody can give."""

from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from access import persons, rights
from approvals import rule_answers, rule_shadows, rule_warnings
from approvals.policy import Stage
from approvals.rule_answers import Facts
from approvals.rule_terms import ASK, Outcome, Range, Rule, Summed
from approvals.rule_warnings import Known
from approvals.time_of_week import TimeOfWeek
from tests.ruling import NONE, ONE, REFUSED, rule

NIGHT = TimeOfWeek((0, 1), "22:00", "04:00", "UTC")
THERE = Known(
    frozenset({"reprocess"}),
    frozenset({"visits", "calls"}),
    frozenset(),
    {"reviewer": frozenset({1}), "administrator": frozenset({1, 2, 3})},
)


def told(*rules: Rule, there: Known = THERE) -> list[str]:
    return rule_warnings.warnings((*rules, rule("Else", NONE)), there)


def shadows(above: dict[str, Any], below: dict[str, Any], outcomes=(ONE, ONE)) -> bool:
    return bool(rule_shadows.shadowed([rule("A", outcomes[0], **above), rule("B", outcomes[1], **below)]))


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ({"records": Range(5)}, {"records": Range(5)}),
        ({"records": Range(5)}, {"records": Range(6, 9)}),
        ({"seconds": Range(None, 9)}, {"seconds": Range(2, 8), "tables": ("visits",)}),
        ({"kinds": ("reprocess", "archive")}, {"kinds": ("archive",), "destructive": True}),
        ({"tables": ("visits", "calls")}, {"tables": ("calls",)}),
        ({"summed": Summed(10, 48)}, {"summed": Summed(20, 24)}),
        ({"roles": ("operator",), "window": NIGHT}, {"roles": ("operator",), "window": NIGHT, "records": Range(1)}),
    ],
)
def test_a_rule_below_one_that_catches_its_jobs_is_never_asked(above, below):
    assert shadows(above, below)
    assert (above == below) == shadows(below, above)
    a, b = rule("A", REFUSED, **above), rule("B", **below)
    assert "“B” is never asked: “A”, which stands above it, catches every job that it would catch." in told(a, b)


@pytest.mark.parametrize(
    ("above", "below", "outcomes"),
    [
        ({"records": Range(5)}, {}, (ONE, ONE)),
        ({"records": Range(5)}, {"records": Range(4)}, (ONE, ONE)),
        ({"records": Range(5, 9)}, {"records": Range(6)}, (ONE, ONE)),
        ({"records": Range(5)}, {"records": Range(5), "kinds": ("archive",)}, (ONE, ONE)),  # it measures archives
        ({"tables": ("visits", "calls")}, {"tables": ("calls",)}, (NONE, ONE)),  # all of the job's tables, or one
        ({"window": NIGHT}, {"records": Range(5)}, (ONE, ONE)),
    ],
)
def test_a_rule_that_catches_others_as_well_is_reached(above, below, outcomes):
    assert not shadows(above, below, outcomes)


def _some(chance: Random, words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for word in words if chance.random() < 0.4)


def _range(chance: Random) -> Range | None:
    low, high = chance.choice([None, 1, 2]), chance.choice([None, 3, 4])
    return None if (low is None and high is None) or chance.random() < 0.4 else Range(low, high)


def _rule(chance: Random) -> Rule:
    return rule(
        str(chance.random()),
        chance.choice([ONE, NONE, REFUSED]),
        records=_range(chance),
        seconds=_range(chance) if chance.random() < 0.3 else None,
        summed=Summed(chance.randrange(4), chance.choice([1, 2])) if chance.random() < 0.3 else None,
        destructive=chance.choice([None, None, True, False]),
        kinds=_some(chance, ("reprocess", "archive")),
        tables=_some(chance, ("visits", "calls")),
        roles=_some(chance, ("operator", "ops")) if chance.random() < 0.3 else (),
        window=chance.choice([None, None, NIGHT]),
    )


def _facts(chance: Random) -> Facts:
    amounts = [None, 0, 1, 2, 3, 4, 5]
    hour = chance.choice(amounts)
    return Facts(
        kind=chance.choice(["reprocess", "archive"]),
        title="A job",
        measured=chance.random() < 0.6,
        records=chance.choice(amounts),
        seconds=chance.choice(amounts),
        tables=chance.choice([None, frozenset(_some(chance, ("visits", "calls")))]),
        extracts=None,
        roles=frozenset(_some(chance, ("operator", "ops"))),
        environment="production",
        destructive=chance.random() < 0.5,
        reasons=(),
        at=datetime(2026, 1, 5, chance.choice([3, 23]), tzinfo=UTC),
        sums={1: hour, 2: None if hour is None else hour + chance.randrange(3)},
    )


def test_no_job_ever_reaches_a_rule_that_is_said_to_be_never_asked():
    chance, found = Random(5), 0
    jobs = [_facts(chance) for _ in range(400)]
    for _ in range(1500):
        two = [_rule(chance), _rule(chance)]
        if rule_shadows.shadowed(two):
            found += 1
            for facts in jobs:
                caught = rule_answers.first(two, facts)
                assert caught is None or caught[0] == two[0], (two, facts)
    assert found > 40


def test_rules_of_one_name_are_told_once():
    named = [rule("Large", records=Range(5)), rule("Small", records=Range(1)), rule("large ", records=Range(3))]
    assert [one for one in told(*named) if "called" in one] == [
        "More than one rule is called “Large”: requests name their rule."
    ]


def test_approvals_that_too_few_people_can_give_are_told_by_stage():
    one, two = Stage(("reviewer",), 2), Stage(("administrator",), 1)
    assert told(rule("Two", Outcome(ASK, (one, two)), records=Range(5))) == [
        "“Two” needs two approvals by reviewer, and 1 person could give them: its jobs could never begin."
    ]
    both = Outcome(ASK, (Stage(("reviewer", "administrator"), 2), Stage(("administrator",), 2)))
    assert "and 3 people could give them" in told(rule("Four", both, records=Range(5)))[0]
    assert (
        told(rule("Three", Outcome(ASK, (Stage(("reviewer",)), Stage(("administrator",), 2))), records=Range(5))) == []
    )


def test_a_role_that_is_not_there_any_more_is_told():
    assert told(rule("R", roles=("clerk",))) == ["“R” names what is not there (any more): clerk."]


@pytest.mark.django_db
def test_two_accounts_of_one_person_are_one_who_approves(people):
    for each in people.values():
        rights.give(each, ["viewer"])
    rights.give(people["reviewer"], ["reviewer"])
    rights.give(people["ops"], ["reviewer"])
    two = rule("Two", Outcome(ASK, (Stage(("reviewer",), 2),)), records=Range(5))
    assert not told(two, there=rule_warnings.known())
    persons.link(people["reviewer"], people["ops"])
    assert "1 person could give them" in told(two, there=rule_warnings.known())[0]
