"""Many small jobs count together: what one person had let through without anybody's approval."""

from datetime import UTC, datetime, timedelta

import pytest

from access import persons
from approvals import rule_facts, rules
from approvals.models import Request
from approvals.rule_terms import Summed
from jobs.models import Plan
from tests import ruling
from tests.approvals.past import asked
from tests.ruling import NONE, rule

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def summed(job) -> int | None:
    return rule_facts.of(job, NOW, {24}).sums[24]


def test_of_20_jobs_of_9999_records_the_one_that_passes_the_limit_asks(people):
    """Each one that was let through before counts; whom somebody approved does not."""
    states = []
    for number in range(20):
        job = asked(people["operator"], NOW + number * timedelta(minutes=1), 9_999, state="previewing")
        policy = rules.judge(job, NOW)
        job.state = "awaiting approval" if policy else "succeeded"
        job.save()
        if policy:
            Request.objects.create(job=job, digest="d", expires_at=NOW)
            assert policy.rule == "Many records in many jobs" and "109,989 records" in policy.why[0]
        states.append(job.state)
    assert states == ["succeeded"] * 10 + ["awaiting approval"] * 10


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        ({"state": "queued"}, True),
        ({"state": "running"}, True),
        ({"state": "paused"}, True),
        ({"state": "succeeded"}, True),
        ({"state": "partial"}, True),
        ({"state": "rolled back"}, True),
        ({"state": "quarantined"}, True),
        ({"state": "failed"}, False),
        ({"state": "cancelled"}, False),
        ({"state": "rejected"}, False),
        ({"state": "awaiting approval"}, False),
        ({"state": "previewing"}, False),
        ({"state": "previewed", "dry_run": True}, False),
        ({"kind": "archive"}, False),
        ({"kind": "rollout", "state": "failed"}, False),
        ({"kind": "rollout", "state": "cancelled", "started_at": NOW}, True),
    ],
)
def test_what_counts_is_what_may_have_an_effect(people, other, counts):
    asked(people["operator"], NOW - HOUR, 7, **other)
    job = asked(people["operator"], NOW, 3, state="previewing")
    assert summed(job) == (10 if counts else 3)


def test_a_job_that_was_given_up_before_its_preview_was_never_let_through(people):
    gone = asked(people["operator"], NOW - HOUR, 7, state="quarantined")
    Plan.objects.filter(pk=gone.plan_id).update(preview=None)
    assert summed(asked(people["operator"], NOW, 3, state="previewing")) == 3


def test_it_is_of_one_person_within_the_hours(people):
    asked(people["operator"], NOW - 24 * HOUR, 100)
    asked(people["operator"], NOW - 23 * HOUR, 20)
    asked(people["administrator"], NOW - HOUR, 1_000)
    parent = asked(people["operator"], NOW - HOUR, 5, kind="rollout")
    asked(people["operator"], NOW - HOUR, 5, parent=parent)
    assert summed(asked(people["operator"], NOW, 3, state="previewing")) == 28
    asked(people["operator"], NOW - HOUR, None)
    assert summed(asked(people["operator"], NOW, 3, state="previewing")) is None
    assert summed(asked(people["administrator"], NOW, None, state="previewing")) is None


def test_which_was_asked_for_first_does_not_matter_until_one_is_let_through(people):
    """The later of two is previewed first; then each is still permitted when its worker begins."""
    first = asked(people["operator"], NOW, 60_000, state="previewing")
    second = asked(people["operator"], NOW + HOUR, 60_000, state="previewing")
    assert rules.judge(second, NOW) is None
    second.state = "queued"
    second.save()
    found = rules.judge(first, NOW)
    assert found and "120,000 records" in found.why[0]
    first.state = "awaiting approval"
    first.save()
    Request.objects.create(job=first, digest="d", expires_at=NOW)
    assert rules.judge(second, NOW) is None


def test_a_job_that_was_let_through_is_not_stopped_by_a_later_one(people):
    first = asked(people["operator"], NOW - 25 * HOUR, 60_000, state="queued")
    asked(people["operator"], NOW - HOUR / 2, 60_000, state="queued")
    assert rules.judge(first, NOW) is None


def test_a_rule_sums_up_over_its_own_hours(people):
    ruling.put([rule("Two hours", summed=Summed(10, 2)).as_json(), rule("Else", NONE).as_json()])
    asked(people["operator"], NOW - 3 * HOUR, 10)
    assert rules.judge(asked(people["operator"], NOW, 3, state="previewing"), NOW) is None
    asked(people["operator"], NOW - HOUR, 8)
    assert rules.judge(asked(people["operator"], NOW, 3, state="previewing"), NOW)


def test_the_facts_of_a_job(console, people, settings):
    settings.ENVIRONMENT = "test"
    job = asked(
        people["operator"], NOW, 7, tables=["visits", "unknown"], asks=["a"], options={"past_breaker": {"x": 1}}
    )
    found = rule_facts.of(job, NOW, ())
    assert (found.tables, found.extracts) == (frozenset({"visits", "unknown"}), frozenset({"Visits"}))
    assert (found.roles, found.environment, found.destructive) == (frozenset({"operator"}), "test", True)
    assert found.reasons == ("a", "It goes past the circuit breaker.")
    job.plan.preview = None
    found = rule_facts.of(job, NOW, {24})
    assert (found.tables, found.extracts, found.seconds, found.sums) == (None, None, None, {24: 0})


def test_accounts_of_one_person_are_summed_together(people):
    persons.link(people["operator"], people["archive admin"])
    asked(people["archive admin"], NOW - HOUR, 7)
    assert summed(asked(people["operator"], NOW, 3, state="previewing")) == 10
