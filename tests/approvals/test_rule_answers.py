"""Which rule catches a job: one condition at a time, and laws over all of them."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals import rule_answers, rules
from approvals.policy import Stage
from approvals.rule_terms import (
    ACTS,
    ASK,
    NO_APPROVAL,
    REFUSE,
    Conditions,
    NoRuleError,
    Outcome,
    Range,
    Rule,
    Summed,
    rules_of,
)
from approvals.rule_versions import InForce
from approvals.time_of_week import TimeOfWeek
from tests.approvals.test_asks import SHIPPED, SMALL
from tests.ruling import NONE, ONE, rule

AUCKLAND = ZoneInfo("Pacific/Auckland")


def holds(rule_: Rule, **facts: Any) -> bool:
    return rule_answers.first([rule_], replace(SMALL, **facts)) is not None


@pytest.mark.parametrize(
    ("conditions", "facts", "expected"),
    [
        ({"kinds": ("restore", "reprocess")}, {}, True),
        ({"kinds": ("restore",)}, {}, False),
        ({"environments": ("test",)}, {}, False),
        ({"environments": ("test", "production")}, {}, True),
        ({"roles": ("ops", "operator")}, {}, True),
        ({"roles": ("ops",)}, {}, False),
        ({"roles": ("ops",)}, {"roles": frozenset()}, False),
        ({"destructive": False}, {}, True),
        ({"destructive": True}, {}, False),
        ({"records": Range(up_to=1)}, {}, True),
        ({"records": Range(up_to=1)}, {"records": None}, False),
        ({"records": Range(10, 20)}, {"records": 20}, True),
        ({"records": Range(10, 20)}, {"records": 10}, False),
        ({"records": Range(10, 20)}, {"records": 21}, False),
        ({"seconds": Range(60)}, {"seconds": None}, True),
        ({"records": Range(0)}, {"measured": False}, False),
        ({"records": Range(0), "kinds": ("reprocess",)}, {"measured": False}, True),
        ({"records": Range(0), "tables": ("calls",)}, {}, False),
        ({"tables": ("visits",)}, {"tables": None}, True),
        ({"tables": ("visits",)}, {"tables": frozenset()}, False),
        ({"summed": Summed(5, 24)}, {"sums": {24: None}}, True),
    ],
)
def test_each_condition(conditions, facts, expected):
    assert holds(rule("R", **conditions), **facts) is expected


def test_a_rule_that_lets_go_needs_all_to_be_named_and_known():
    both = frozenset({"visits", "calls"})
    for name in ("tables", "extracts"):
        asks, frees = rule("R", ONE, **{name: ("visits",)}), rule("R", NONE, **{name: ("visits",)})
        assert (holds(asks, **{name: both}), holds(frees, **{name: both})) == (True, False)
        assert (holds(asks, **{name: None}), holds(frees, **{name: None})) == (True, False)
        assert holds(rule("R", NONE, **{name: ("visits", "calls")}), **{name: both})


@pytest.mark.parametrize(
    ("local", "fold", "expected"),
    [
        ("2026-03-27 21:59", 0, False),  # Friday
        ("2026-03-27 22:00", 0, True),
        ("2026-03-28 05:59", 0, True),  # of Friday's window
        ("2026-03-28 06:00", 0, False),
        ("2026-03-28 23:00", 0, False),  # Saturday begins none
        ("2026-04-05 02:30", 0, False),  # Sunday: clocks go back at 3
        ("2026-09-27 03:30", 0, False),
    ],
)
def test_a_window_overnight(local, fold, expected):
    window = TimeOfWeek((0, 1, 2, 3, 4), "22:00", "06:00", "Pacific/Auckland")
    assert window.holds(datetime.fromisoformat(local).replace(tzinfo=AUCKLAND, fold=fold)) is expected


def test_a_window_goes_by_the_wall_clock_over_a_change_of_clocks():
    """The hour that comes twice is in it both times; the moment after the gap is where the clock stands."""
    window = TimeOfWeek((6,), "02:00", "03:00", "Pacific/Auckland")
    for fold in (0, 1):
        assert window.holds(datetime(2026, 4, 5, 2, 30, tzinfo=AUCKLAND, fold=fold))
    spring = datetime.fromisoformat("2026-09-26T13:59:59+00:00")  # 01:59:59; a second later it is 03:00
    assert not window.holds(spring) and not window.holds(spring.replace(hour=14, minute=0, second=0))
    assert TimeOfWeek((6,), "00:00", "00:00", "UTC").holds(datetime.fromisoformat("2026-04-05T23:59:00+00:00"))


limits = st.integers(0, 200)
ranges = st.builds(lambda low, more: Range(low, low + 1 + more), limits, limits) | st.builds(Range, limits)
some = lambda *words: st.lists(st.sampled_from(words), unique=True, max_size=2).map(tuple)  # noqa: E731
conditions = st.builds(
    Conditions,
    records=st.none() | ranges,
    seconds=st.none() | ranges,
    summed=st.none() | st.builds(Summed, limits, st.sampled_from([1, 24])),
    destructive=st.sampled_from([None, True, False]),
    kinds=some("reprocess", "restore"),
    tables=some("visits", "calls"),
    roles=some("operator", "ops"),
    window=st.none() | st.builds(TimeOfWeek, st.just((0, 3)), st.just("08:00"), st.just("17:00"), st.just("UTC")),
)
outcomes = st.sampled_from(ACTS).map(
    lambda act: Outcome(act, ONE.stages if act == ASK else (), words="No." if act == REFUSE else "")
)
sets = st.lists(st.tuples(outcomes, conditions), max_size=6).map(
    lambda found: tuple(Rule(str(n), f"Rule {n}", *each) for n, each in enumerate(found))
)
facts = st.builds(
    lambda **known: replace(SMALL, **known),
    records=st.none() | limits,
    seconds=st.none() | limits,
    tables=st.none() | st.frozensets(st.sampled_from(["visits", "calls"])),
    kind=st.sampled_from(["reprocess", "restore"]),
    measured=st.booleans(),
    destructive=st.booleans(),
    reasons=st.sampled_from([(), ("It overwrites a row.",)]),
    sums=st.fixed_dictionaries({1: st.none() | limits, 24: st.none() | limits}),
)


@settings(max_examples=100, deadline=None)
@given(sets, facts)
def test_the_first_match_wins_and_nothing_is_waived(found, known):
    caught = rule_answers.first(found, known)
    matching = [each for each in found if all(a.holds for a in rule_answers.answers_of(each, known))]
    assert (caught[0] if caught else None) == next(iter(matching), None)
    policy = rules.judged(InForce(1, found), known)
    if policy is None:
        assert caught and caught[0].outcome.act == NO_APPROVAL and not known.reasons
    else:
        assert policy.why and set(known.reasons) <= set(policy.why)
        assert bool(policy.stages) != bool(caught and caught[0].outcome.act == REFUSE)
    assert rules_of([each.as_json() for each in found]) == found


@settings(max_examples=100, deadline=None)
@given(facts, limits, st.integers(0, 10**6))
def test_more_records_never_lose_an_approval_by_the_shipped_rules(known, seconds, more):
    """Nor does what is unknown instead."""
    larger = [
        replace(known, records=known.records + more) if known.records is not None else known,
        replace(known, records=None),
        replace(known, seconds=None),
        replace(known, sums={24: None}),
        replace(known, sums={24: (known.sums[24] or 0) + more}) if known.sums[24] is not None else known,
    ]
    if rules.judged(SHIPPED, known):
        assert all(rules.judged(SHIPPED, each) for each in larger)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.pop("name"),
        lambda r: r.update(name=" "),
        lambda r: r.update(more=1),
        lambda r: r["conditions"].update(recrods={"over": 1, "up_to": None}),
        lambda r: r["conditions"].pop("kinds"),
        lambda r: r["conditions"].update(kinds="reprocess"),
        lambda r: r["conditions"].update(records={"over": "many", "up_to": None}),
        lambda r: r["conditions"].update(records={"over": 5, "up_to": 5}),
        lambda r: r["conditions"].update(summed={"over": 5, "hours": 0}),
        lambda r: r["conditions"].update(window={"weekdays": [7], "begins": "1", "ends": "2", "zone": "UTC"}),
        lambda r: r["conditions"].update(window={"weekdays": [1], "begins": "08:00", "ends": "09:00", "zone": "X"}),
        lambda r: r["outcome"].update(act="nothing"),
        lambda r: r["outcome"].update(stages=[]),
        lambda r: r["outcome"].update(words="No."),
        lambda r: r["outcome"]["stages"][0].update(approvals=0),
        lambda r: r["outcome"]["stages"][0].update(groups=[]),
    ],
)
def test_what_is_no_rule_is_not_read(spoil):
    said = rule("R", Outcome(ASK, (Stage(("reviewer",)),))).as_json()
    spoil(said)
    with pytest.raises(NoRuleError):
        rules_of([said])


def test_two_rules_do_not_have_the_same_key():
    said = rule("R").as_json()
    with pytest.raises(NoRuleError):
        rules_of([said, said])
