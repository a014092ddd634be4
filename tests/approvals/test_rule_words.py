"""Rules in words, and what differs between two sets."""

import pytest

from approvals import rule_words
from approvals.policy import Stage
from approvals.rule_terms import ASK, Outcome, Range, Summed
from approvals.time_of_week import TimeOfWeek
from tests.ruling import NONE, REFUSED, rule


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.5, "0.5 s"), (59, "59 s"), (60, "1 min"), (90.2, "1 min 31 s"), (7200, "2 h"), (7200.1, "2 h 1 s")],
)
def test_a_length_never_reads_like_a_limit_that_it_is_above(seconds, told):
    assert rule_words.length(seconds) == told


def test_a_rule_in_words():
    stages = (Stage(("reviewer",), 2), Stage(("reviewer", "administrator")))
    whole = rule(
        "R",
        Outcome(ASK, stages),
        records=Range(5, 10),
        seconds=Range(up_to=60),
        summed=Summed(1000, 1),
        destructive=False,
        tables=("visits", "calls", "notes"),
        window=TimeOfWeek((0, 1, 2), "08:00", "17:00", "UTC"),
    )
    assert rule_words.told(whole) == (
        "Not destructive and more than 5 and no more than 10 records and a duration of no more than 1 min and more than"
        " 1,000 records by the same person in the last hour, unless approved and about stg.visits, calls or notes and"
        " within Monday to Wednesday 08:00 to 17:00 UTC: two approvals by reviewer, then one approval by reviewer or"
        " administrator"
    )
    assert rule_words.told(rule("N", NONE)) == "Every job: no approval"
    assert rule_words.told(rule("N", REFUSED, kinds=("gone",))) == "Of the kind gone: refused: Not on a weekday."


def test_differences_name_as_few_moves_as_explain_the_order():
    a, b, c, d = (rule(name) for name in "ABCD")
    changed = rule("B", NONE)
    found = rule_words.differences((a, b, c, d), (d, a, changed, rule("E")))
    assert [(each.change, each.name) for each in found] == [
        ("changed", "B"),
        ("added", "E"),
        ("moved", "D"),
        ("removed", "C"),
    ]
    assert (found[2].before, found[2].after) == ("place 4", "place 1")
    assert rule_words.differences((a, b), (a, b)) == []
