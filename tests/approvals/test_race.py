"""Fifty people decide at the same moment: as many decisions count as the policy wants."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import connection

from access import rights
from approvals import gate
from approvals.gate import RefusedError
from approvals.models import Decision, Request
from approvals.policy import Policy, Stage
from audit.models import Event
from tests.approvals.conftest import ONE, again

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 50
THREE = Policy("three", 1, ("It is large.",), (Stage(("reviewer",), 2), Stage(("reviewer",), 1)))


def all_decide(request: Request, users: list[User]) -> list[bool]:
    """Whether each decision counted; all begin together."""
    together = Barrier(len(users))

    def decide(user: User) -> bool:
        try:
            mine = again(request)
            together.wait(30)
            gate.decide(mine, user, approve=True, digest=request.digest, reason="")
            return True
        except RefusedError:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(len(users)) as pool:
        return list(pool.map(decide, users))


def test_as_many_count_as_are_wanted(asked, people):
    users = [User(username=f"reviewer {number}", password="!") for number in range(AT_ONCE)]
    for user in User.objects.bulk_create(users):
        rights.give(user, ["reviewer"])
    one, same, three = asked(ONE), asked(ONE), asked(THREE)
    for request, deciding, counted in ((one, users, 1), (same, [people["reviewer"]] * 10, 1), (three, users[:10], 3)):
        assert sum(all_decide(request, deciding)) == counted
        assert Decision.objects.filter(request=request).count() == counted
        assert Event.objects.filter(action="job queued", subject=f"job:{request.job_id}").count() == 1
        assert again(request).state == "approved"
    assert Event.objects.filter(action="decision refused").count() == AT_ONCE - 1 + 9 + 7
