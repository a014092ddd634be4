"""A request that nobody decides: reminded of, escalated, withdrawn, expired, and never approved by time."""

from datetime import timedelta

import pytest

from access import persons
from approvals import closing, gate, settings_check
from approvals.gate import RefusedError
from approvals.models import Request
from audit.models import Event
from jobs import submission
from tests.approvals.conftest import TWO, again, approve, state

pytestmark = pytest.mark.django_db


def events(action: str) -> int:
    return Event.objects.filter(action=action).count()


def test_who_asked_withdraws_it_by_any_account(asked, people):
    first, second = asked(), asked()
    closing.withdraw(first, people["operator"], reason="not needed")
    persons.link(people["operator"], people["viewer"])
    closing.withdraw(second, people["viewer"], reason="")
    first = again(first)
    assert (first.state, first.job.state) == ("withdrawn", "cancelled")
    assert first.job.error == "Withdrawn by operator: not needed. Staging is unchanged."
    assert again(second).job.error == "Withdrawn by viewer. Staging is unchanged."
    assert events("request withdrawn") == 2


def test_nobody_else_withdraws_it_and_nobody_twice(asked, people):
    request = asked()
    before = state(request)
    with pytest.raises(RefusedError, match="Only who asked"):
        closing.withdraw(request, people["reviewer"], reason="")
    assert state(request) == before and events("withdrawal refused") == 1
    approve(request, people["reviewer"])
    with pytest.raises(RefusedError, match="does not wait"):
        closing.withdraw(again(request), people["operator"], reason="")
    assert again(request).job.state == "queued"


def test_reminders_come_at_a_quarter_a_half_and_nine_tenths(asked):
    request = asked()
    told = []
    for days in (1, 2, 2, 4, 6.5, 6.9):
        closing.upkeep(request.created_at + timedelta(days=days))
        told.append(events("request reminded"))
    assert told == [0, 1, 1, 2, 3, 3]


def test_a_reminder_by_hand_is_given_once_an_hour(asked, people):
    request = asked()
    closing.remind(request, people["operator"])
    with pytest.raises(RefusedError, match="Less than an hour ago"):
        closing.remind(request, people["operator"])
    closing.remind(request, people["operator"], now=request.created_at + timedelta(hours=2))
    assert events("request reminded") == 2


def test_it_escalates_once_and_the_other_role_may_then_approve(asked, people):
    request = asked(TWO)
    later = request.escalates_at + timedelta(seconds=1)
    closing.upkeep(request.escalates_at - timedelta(seconds=1))
    assert events("request escalated") == 0
    closing.upkeep(later)
    closing.upkeep(later)
    assert events("request escalated") == 1
    assert str(gate.of(request, later)) == "0 of 2 approvals, waiting for reviewer or administrator"


def test_it_expires_and_a_cancelled_job_takes_its_request_along(asked, people):
    late, gone, decided = asked(), asked(), asked()
    submission.cancel(gone.job, people["operator"])
    approve(decided, people["reviewer"])
    closing.upkeep(late.expires_at - timedelta(seconds=1))
    assert again(late).state == "pending" and again(gone).state == "void"
    closing.upkeep(late.expires_at + timedelta(seconds=60))
    late = again(late)
    assert (late.state, late.job.state) == ("void", "cancelled")
    assert "Nobody decided within 7 days" in late.job.error
    assert Request.objects.filter(state="approved").count() == 1


def test_a_role_that_there_is_not_is_no_setting(settings):
    assert settings_check.roles() == []
    settings.ESCALATE_TO = "king"
    (error,) = settings_check.roles()
    assert "RESTAGE_ESCALATE_TO is 'king'" in error.msg
