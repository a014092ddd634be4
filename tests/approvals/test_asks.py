"""A plan that itself knows a reason for a decision asks for it, whatever the rules say."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from approvals import rule_facts, rule_shipped, rules
from approvals.policy import Policy
from approvals.rule_answers import Facts
from approvals.rule_terms import rules_of
from approvals.rule_versions import InForce
from jobs import kinds
from tests.ruling import NONE, REFUSED, rule

SHIPPED = InForce(1, rules_of(rule_shipped.shipped()))
SMALL = Facts(
    kind="reprocess",
    title="Reprocessing",
    measured=True,
    records=1,
    seconds=1.0,
    tables=frozenset({"visits"}),
    extracts=frozenset({"Visits"}),
    roles=frozenset({"operator"}),
    environment="production",
    destructive=False,
    reasons=(),
    at=datetime(2026, 1, 5, 9, tzinfo=UTC),
    sums={24: 1},
)


def judged(by: InForce = SHIPPED, **facts: Any) -> Policy | None:
    return rules.judged(by, replace(SMALL, **facts))


def why(**facts: Any) -> list[str]:
    found = judged(**facts)
    return list(found.why) if found else []


def test_without_a_reason_nobody_is_asked():
    assert judged() is None


def test_the_reasons_of_a_plan_are_those_of_the_decision():
    assert why(destructive=True, reasons=("one", "two")) == ["one", "two"]


def test_only_a_kind_that_is_measured_asks_by_size():
    huge: dict[str, Any] = {"records": 10**9, "seconds": 1e6, "sums": {24: 10**9}}
    assert why(**huge) == ["It reads 1,000,000,000 records, more than 100,000."]
    assert why(**huge, measured=False) == []
    assert why(**huge, measured=False, destructive=True, reasons=("one",)) == ["one"]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"records": 100_000}, ""),
        ({"records": 100_001}, "It reads 100,001 records, more than 100,000."),
        ({"records": None, "sums": {24: None}}, "The number of records is unknown."),
        ({"seconds": 7200.0}, ""),
        ({"seconds": 7201.0}, "It may take 2 h 1 s, more than 2 h."),
        ({"seconds": None}, "Its duration is unknown."),
        ({"sums": {24: 100_000}}, ""),
        ({"sums": {24: 100_001}}, "and nobody had to approve, it reads 100,001 records, more than 100,000."),
    ],
)
def test_limits_are_strict_and_what_is_unknown_is_above_them(facts, told):
    said = " ".join(why(**facts))
    assert told in said and bool(told) == bool(said)


@pytest.mark.parametrize("reason", ["It overwrites 3 rows.", "It goes past the circuit breaker."])
def test_no_rule_waives_what_the_plan_asks_for(reason):
    free = InForce(7, (rule("Free", NONE),))
    found = judged(free, reasons=(reason,))
    assert found and (found.rule, found.version, found.why) == (rules.OF_THE_PLAN, 7, (reason,))
    assert found.stages == (rules.one_of_those_who_decide(),)


def test_a_refusal_has_its_words_and_no_stages():
    found = judged(InForce(2, (rule("Never", REFUSED, kinds=("reprocess",)),)))
    assert found and found.stages == () and found.why[0] == "Not on a weekday."


@pytest.mark.parametrize(
    "broken",
    [InForce(0, (), "There are none."), InForce(3, (), "Altered."), InForce(1, (rule("Of another", kinds=("x",)),))],
)
def test_no_rule_asks(broken):
    found = judged(broken)
    assert found and found.stages and found.why


def test_the_reasons_of_the_kinds():
    by_name = {kind.name: kind for kind in kinds.known()}
    rollback, reprocess = by_name["rollback"], by_name["reprocess"]
    assert rule_facts.reasons(rollback, [], past_breaker=False) == ("A rollback takes published rows back.",)
    assert rule_facts.reasons(reprocess, ["a"], past_breaker=True) == ("a", "It goes past the circuit breaker.")
    assert rule_facts.is_destructive(rollback, []) and rule_facts.is_destructive(reprocess, ["a"])
    assert not rule_facts.is_destructive(reprocess, [])
