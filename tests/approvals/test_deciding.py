"""People decide on a request: in stages, each once, each by their role; the job becomes what they decided."""

from datetime import timedelta

import pytest
from django.utils import timezone

from access import persons, rights
from approvals import gate
from approvals.gate import RefusedError
from approvals.models import Decision, Request
from audit.models import Event
from jobs import submission
from jobs.submission import NotPermittedError
from tests.approvals.conftest import ONE, TWO, again, approve
from tests.tampering import unguarded

pytestmark = pytest.mark.django_db


def test_the_policy_is_kept_with_the_request(asked):
    request = asked(None)
    assert request.policy["rule"] == "Destructive"
    assert request.policy["stages"] == [{"groups": ["reviewer", "administrator"], "approvals": 1}]
    assert request.why == ["It is large."]


def test_one_approval_of_two_lets_nothing_begin(asked, people):
    request = asked(TWO)
    with pytest.raises(RefusedError, match="waits for reviewer"):
        approve(request, people["administrator"])
    approve(request, people["reviewer"])
    request = again(request)
    assert (request.state, request.job.state) == ("pending", "awaiting approval")
    event = Event.objects.get(action="approval given")
    assert event.detail["progress"] == "1 of 2 approvals, waiting for archive admin"
    with pytest.raises(NotPermittedError):
        gate.permit(request.job)
    approve(request, people["archive admin"])
    request = again(request)
    assert (request.state, request.job.state) == ("approved", "queued")
    assert list(request.decisions.values_list("stage", "role")) == [(0, "reviewer"), (1, "archive admin")]
    gate.permit(request.job)


def test_a_person_decides_once_and_so_do_their_accounts(asked, people):
    request = asked(TWO)
    rights.give(people["reviewer2"], ["archive admin"])
    approve(request, people["reviewer"])
    with pytest.raises(RefusedError, match="approved it already"):
        approve(request, people["reviewer"])
    persons.link(people["reviewer"], people["reviewer2"])
    with pytest.raises(RefusedError, match="approved it already"):
        approve(request, people["reviewer2"])


def test_changes_asked_for_end_the_job_with_their_reason(asked, people):
    request = asked()
    with pytest.raises(RefusedError, match="request for changes needs a reason"):
        gate.ask_changes(request, people["reviewer"], digest=request.digest, reason=" ")
    gate.ask_changes(request, people["reviewer"], digest=request.digest, reason="only visits")
    request = again(request)
    assert (request.state, request.job.state) == ("changes asked", "rejected")
    assert request.job.error == "Changes asked for by reviewer: only visits"


def test_a_rejection_after_an_approval_ends_it(asked, people):
    request = asked(TWO)
    approve(request, people["reviewer"])
    gate.decide(request, people["archive admin"], approve=False, digest=request.digest, reason="no room")
    assert again(request).state == "rejected"


def test_from_its_time_on_one_more_role_may_approve(asked, people):
    request = asked(TWO)
    later = timezone.now() + timedelta(hours=49)
    assert not gate.pending(people["administrator"])
    assert gate.pending(people["administrator"], later) == [request]
    with pytest.raises(RefusedError, match="waits for reviewer"):
        approve(request, people["administrator"])


def test_pending_is_what_waits_for_this_person(asked, people):
    first, second = asked(ONE), asked(TWO)
    assert gate.pending(people["reviewer"]) == [first, second]
    assert gate.pending(people["archive admin"]) == gate.pending(people["operator"]) == []
    approve(second, people["reviewer"])
    assert gate.pending(people["reviewer"]) == [first]
    assert gate.pending(people["archive admin"]) == [second]


@pytest.mark.parametrize("kept", [{}, {**ONE.as_json(), "stages": [{"groups": ["reviewer"], "approvals": 0}]}])
def test_by_a_policy_that_cannot_be_read_nobody_decides(asked, people, kept):
    request = asked()
    with unguarded("approvals_request"):
        Request.objects.filter(pk=request.pk).update(policy=kept)
    with pytest.raises(RefusedError, match="cannot be read"):
        approve(again(request), people["reviewer"])
    assert gate.pending(people["reviewer"]) == []
    assert not Decision.objects.exists()


def test_an_approval_holds_only_as_long_as_all_who_gave_it_may(asked, people):
    request = asked(TWO)
    approve(request, people["reviewer"])
    approve(request, people["archive admin"])
    job = again(request).job
    submission.check_permit(job)
    rights.give(people["archive admin"], ["reviewer"])
    with pytest.raises(NotPermittedError, match="archive admin, who approved it, may not decide any more"):
        gate.permit(job)
    rights.give(people["archive admin"], ["archive admin"])
    persons.link(people["archive admin"], people["reviewer"])
    with pytest.raises(NotPermittedError, match="1 of 2 approvals"):
        gate.permit(job)
    persons.unlink(people["reviewer"])
    gate.permit(job)
    persons.link(people["operator"], people["reviewer"])
    with pytest.raises(NotPermittedError, match="may not decide any more"):
        gate.permit(job)
