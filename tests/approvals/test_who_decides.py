"""The nine relations in which somebody stands to a job who must not decide on it: refused by form, by the API, by
function and by raw SQL, whichever roles they have."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client

from access import persons, rights
from approvals import gate
from approvals.gate import RefusedError
from approvals.models import Decision, Request
from tests.approvals.conftest import PASSWORD, TWO, Asks, again, approve, insert_decision, state

pytestmark = pytest.mark.django_db
People = dict[str, User]


def requester(asked: Asks, people: People) -> tuple[Request, User]:
    return asked(), people["operator"]


def requester_by_a_second_role(asked: Asks, people: People) -> tuple[Request, User]:
    rights.give(people["administrator"], ["operator", "reviewer", "administrator"])
    return asked(actor="administrator"), people["administrator"]


def requester_by_a_second_account(asked: Asks, people: People) -> tuple[Request, User]:
    persons.link(people["operator"], people["reviewer"])
    return asked(), people["reviewer"]


def owner_of_the_schedule(asked: Asks, people: People) -> tuple[Request, User]:
    origin = {"told": "schedule nightly", "path": "/", "owner": "reviewer", "authors": [people["reviewer"].pk]}
    return asked(origin=origin), people["reviewer"]


def editor_of_the_trigger(asked: Asks, people: People) -> tuple[Request, User]:
    authors = [people["operator"].pk, people["reviewer"].pk]
    return asked(origin={"told": "trigger failed", "path": "/", "owner": "operator", "authors": authors}), people[
        "reviewer"
    ]


def who_had_the_schedule_run_by_hand(asked: Asks, people: People) -> tuple[Request, User]:
    rights.give(people["ops"], ["ops", "reviewer"])
    origin = {"told": "schedule nightly", "path": "/", "by_hand": True, "authors": [people["operator"].pk]}
    return asked(origin=origin, actor="ops"), people["ops"]


def requester_of_the_plan_that_it_is_in_place_of(asked: Asks, people: People) -> tuple[Request, User]:
    return asked(asked_before_by=[people["reviewer"].pk]), people["reviewer"]


def owner_of_the_token_by_another_account(asked: Asks, people: People) -> tuple[Request, User]:
    """Whatever asked for them stands among the authors; their other account is the same person."""
    persons.link(people["ops"], people["reviewer"])
    return asked(origin={"told": "token ci", "path": "/", "authors": [people["ops"].pk]}), people["reviewer"]


def earlier_approver(asked: Asks, people: People) -> tuple[Request, User]:
    request = asked(TWO)
    approve(request, people["reviewer"])
    persons.link(people["reviewer"], people["archive admin"])
    return again(request), people["archive admin"]


RELATIONS: list[Callable[[Asks, People], tuple[Request, User]]] = [
    requester,
    requester_by_a_second_role,
    requester_by_a_second_account,
    owner_of_the_schedule,
    editor_of_the_trigger,
    who_had_the_schedule_run_by_hand,
    requester_of_the_plan_that_it_is_in_place_of,
    owner_of_the_token_by_another_account,
    earlier_approver,
]


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.__name__)
def test_a_hand_in_it_refuses_the_decision(asked: Asks, people: People, relation) -> None:
    request, user = relation(asked, people)
    if not rights.roles_of(user) or "reviewer" not in rights.roles_of(user):
        rights.give(user, [*rights.roles_of(user), "reviewer"])
    before, stage = state(request), 1 if relation is earlier_approver else 0
    role = "archive admin" if stage else "reviewer"
    with pytest.raises(RefusedError):
        gate.decide(request, user, approve=True, digest=request.digest, reason="")
    with pytest.raises(DatabaseError, match=r"had a hand in asking|decides once"):
        insert_decision(request, user, stage=stage, role=role)
    client = Client()
    client.force_login(user)
    form = {"digest": request.digest, "verdict": "approve", "password": PASSWORD}
    answer = client.post(f"/jobs/{request.job_id}/decision/", form)
    assert answer.status_code == 422 and "Nothing was decided" in answer.content.decode()
    told = client.post(f"/api/v1/approvals/{request.job_id}/decision/", form, content_type="application/json")
    assert told.status_code == 409 and "Nothing was decided" in told.json()["detail"]
    assert request not in gate.pending(user)
    assert state(request) == before


def test_there_are_nine() -> None:
    assert len(RELATIONS) == 9


def test_somebody_without_a_hand_in_it_decides_in_each_of_the_four_ways(asked: Asks, people: People) -> None:
    """Else the refusals would say nothing."""
    assert insert_decision(asked(), people["reviewer"]) == 1
    approve(asked(), people["reviewer"])
    client, request = Client(), asked()
    client.force_login(people["reviewer"])
    form = {"digest": request.digest, "verdict": "approve", "password": PASSWORD}
    assert client.post(f"/jobs/{request.job_id}/decision/", form).status_code == 302
    request = asked()
    path, body = f"/api/v1/approvals/{request.job_id}/decision/", {**form, "digest": request.digest}
    assert client.post(path, body, content_type="application/json").status_code == 200
    assert Decision.objects.count() == 4
