"""What a draft would have done with the jobs of the last 90 days."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals import rule_backtest, rule_facts, rule_versions
from approvals.rule_backtest import BackTest
from approvals.rule_terms import Range, Rule, Summed
from approvals.rule_versions import InForce
from tests.approvals.past import asked
from tests.ruling import NONE, REFUSED, rule

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def back_tested(*draft: Rule) -> BackTest:
    return rule_backtest.back_test(rule_versions.in_force(), InForce(0, draft), NOW)


def test_counts_by_rule_and_what_differs(people):
    operator = people["operator"]
    small, large = asked(operator, NOW - 3 * DAY, 50), asked(operator, NOW - 2 * DAY, 200_000)
    restore = asked(operator, NOW - DAY, 5, kind="restore", asks=["It overwrites 3 rows."])
    draft = (rule("Some", records=Range(10)), rule("No restores", REFUSED, kinds=("restore",)), rule("Else", NONE))
    found = back_tested(*draft)
    assert (found.jobs, found.asks_before, found.asks_after, found.refused_after) == (3, 2, 2, 1)
    assert [(c.rule, c.jobs, c.differing) for c in found.rules] == [("Some", 2, 2), ("No restores", 1, 1)]
    assert (found.differing, found.newly_asked, found.newly_free) == (3, 1, 0)
    assert [each.job for each in found.shown] == [restore.pk, large.pk, small.pk]
    assert (found.shown[2].before.told, found.shown[2].after.told) == ("goes ahead", "one approval by reviewer")
    assert found.shown[1].before.told == "one approval by reviewer or administrator"


def test_a_draft_that_says_the_same_differs_in_nothing(people):
    for number in range(12):
        asked(people["operator"], NOW - number * timedelta(hours=1), 20_000)
    found = back_tested(*rule_versions.in_force().rules)
    assert (found.jobs, found.differing, found.shown) == (12, 0, [])
    assert found.asks_after == found.asks_before == 7, "the sixth passes the limit, and is not let through"


def test_it_is_what_judge_says_of_each_job(people):
    """Job by job in their order, a sum counts what was let through before."""
    draft = InForce(0, (rule("Sum", summed=Summed(100, 2)), rule("Else", NONE)))
    jobs = [asked(people["operator"], NOW - DAY + n * timedelta(minutes=50), 40, state="succeeded") for n in range(8)]
    past = [
        rule_backtest.Past(job.pk, job.requested_by_id, job.created_at, True, rule_facts.of(job, NOW, ()))
        for job in jobs
    ]
    told = [bool(each.rule) for each in rule_backtest.judgements(draft, past)]
    assert told == [False, False, True, False, False, True, False, False]


def test_what_is_not_known_is_said(people):
    operator = people["operator"]
    asked(operator, NOW - 91 * DAY, 200_000)
    asked(operator, NOW - DAY, 200_000, dry_run=True, state="previewed")
    parent = asked(operator, NOW - DAY, 5, kind="rollout")
    asked(operator, NOW - DAY, 200_000, parent=parent)
    asked(operator, NOW - DAY, preview=None, state="failed")
    asked(operator, NOW - DAY, None)
    asked(operator, NOW - DAY, 5, kind="of an older release")
    found = back_tested(rule("Else", NONE))
    assert (found.jobs, found.left_out, found.unknown) == (2, 1, 1)
    assert (found.newly_free, found.asks_before) == (1, 1)


def test_no_jobs(people):
    assert back_tested(rule("Else", NONE)).jobs == 0


def test_it_takes_the_same_few_queries_however_many_jobs(people, monkeypatch):
    monkeypatch.setattr(rule_backtest, "MOST_JOBS", 5)
    for number in range(9):
        asked(people["operator"], NOW - number * DAY, 5)
    current = rule_versions.in_force()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = rule_backtest.back_test(current, InForce(0, (rule("Else", NONE),)), NOW)
    assert (len(queries), found.jobs, found.more) == (5, 5, 4)
