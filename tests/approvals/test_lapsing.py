"""An approval of somebody who has left, or has lost the right, does not count when the next one is given."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access import persons, rights
from approvals import gate, inbox_rows
from approvals.gate import RefusedError
from approvals.models import Request
from approvals.policy import Policy, Stage
from jobs import submission
from jobs.submission import NotPermittedError
from tests.approvals.conftest import ONE, TWO, again, approve, insert_decision

pytestmark = pytest.mark.django_db
BOTH = Policy("both", 1, ("It is large.",), (Stage(("reviewer", "administrator"), 2),))
AT_ONCE = Policy("at once", 1, ("It is large.",), TWO.stages, in_sequence=False)


def deactivated(people: dict[str, User]) -> None:
    User.objects.filter(pk=people["reviewer"].pk).update(is_active=False)


def without_the_role(people: dict[str, User]) -> None:
    rights.give(people["reviewer"], ["operator"])


def one_person_with_who_asked(people: dict[str, User]) -> None:
    persons.link(people["reviewer"], people["operator"])


LEAVES: list[Callable[[dict[str, User]], None]] = [deactivated, without_the_role, one_person_with_who_asked]


@pytest.mark.parametrize("leaves", LEAVES, ids=lambda one: one.__name__)
def test_the_next_stage_does_not_open_until_somebody_else_approves(asked, people, leaves):
    request = asked(TWO)
    approve(request, people["reviewer"])
    leaves(people)
    with pytest.raises(RefusedError, match="waits for reviewer"):
        approve(again(request), people["archive admin"])
    with pytest.raises(DatabaseError, match="not open yet"):
        insert_decision(request, people["archive admin"], stage=1, role="archive admin")
    approve(again(request), people["reviewer2"])
    assert str(gate.of(again(request), timezone.now())) == "1 of 2 approvals, waiting for archive admin"
    approve(again(request), people["archive admin"])
    job = again(request).job
    assert job.state == "queued"
    gate.permit(job)


@pytest.mark.parametrize("policy", [BOTH, AT_ONCE], ids=lambda policy: policy.rule)
def test_the_last_approval_does_not_queue_the_job(asked, people, policy):
    request, last = asked(policy), people["archive admin" if policy is AT_ONCE else "reviewer2"]
    approve(request, people["reviewer"])
    deactivated(people)
    approve(again(request), last)
    request = again(request)
    assert (request.state, request.job.state) == ("pending", "awaiting approval")
    with pytest.raises(RefusedError, match="approved it already"):
        approve(request, last)
    approve(request, people["administrator" if policy is BOTH else "reviewer2"])
    assert again(request).job.state == "queued"


def test_the_database_does_not_call_it_approved(asked, people):
    request = asked(BOTH)
    approve(request, people["reviewer"])
    deactivated(people)
    approve(again(request), people["reviewer2"])
    with pytest.raises(DatabaseError, match="has not the approvals"):
        Request.objects.filter(pk=request.pk).update(state="approved")


def test_who_has_the_right_again_counts_again_and_does_not_decide_twice(asked, people):
    request = asked(TWO)
    approve(request, people["reviewer"])
    without_the_role(people)
    assert str(gate.of(again(request), timezone.now())).startswith("0 of 2")
    rights.give(people["reviewer"], ["reviewer"])
    with pytest.raises(RefusedError, match="approved it already"):
        approve(again(request), people["reviewer"])
    approve(again(request), people["archive admin"])
    assert again(request).job.state == "queued"


def test_the_worker_names_who_may_not_decide_any_more(asked, people):
    request = asked(ONE)
    approve(request, people["reviewer"])
    deactivated(people)
    with pytest.raises(NotPermittedError, match="reviewer, who approved it, may not decide any more"):
        gate.permit(again(request).job)


def test_page_and_list_say_so_until_the_job_is_over(asked, people):
    request, client = asked(TWO), Client()
    approve(request, people["reviewer"])
    client.force_login(people["reviewer2"])
    deactivated(people)
    page = client.get(f"/jobs/{request.job_id}/").content.decode()
    assert "It does not count any more</strong>: reviewer may not decide now." in page
    assert "0 of 2 approvals, waiting for reviewer" in page and 'value="approve"' in page
    assert "0 of 2 approvals, waiting for reviewer" in client.get("/approvals/").content.decode()
    assert inbox_rows.as_json(again(request), timezone.now())["approved_by"] == []
    assert gate.pending(people["reviewer2"]) == [request] and gate.pending(people["archive admin"]) == []
    gate.decide(again(request), people["reviewer2"], approve=False, digest=request.digest, reason="no")
    page = client.get(f"/jobs/{request.job_id}/").content.decode()
    assert "does not count any more" not in page and "1 of 1" in page


def test_of_a_job_that_is_over_the_api_and_commands_tell_who_approved_it(asked, people):
    request = asked(ONE)
    approve(request, people["reviewer"])
    deactivated(people)
    assert inbox_rows.as_json(again(request), timezone.now())["approved_by"] == []
    submission.cancel(again(request).job, people["operator"])
    told = inbox_rows.as_json(again(request), timezone.now())
    assert (told["approved_by"], told["standing"]) == (["reviewer"], "1 of 1 approval")


def test_more_requests_take_no_query_more(asked, people):
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            inbox_rows.of(people["archive admin"], timezone.now())
        return len(found)

    approve(asked(TWO), people["reviewer"])
    of_one = queries()
    approve(asked(TWO), people["reviewer2"])
    assert queries() == of_one
