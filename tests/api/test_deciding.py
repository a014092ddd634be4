"""Deciding by the API: a person with a session, who shows that it is them, about exactly the plan that they read."""

import pytest
from django.test import Client

from approvals.models import Decision, Request
from audit.models import Event
from jobs import work
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests import ruling
from tests.api.conftest import Caller
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")
PASSWORD = "pass-word-1"


@pytest.fixture
def job(console: House, people, settings) -> Job:
    """It waits for a decision."""
    ruling.limit(0)
    run = console.deliver("20260105", row("1"))
    console.write("20260105", row("1", fee="11"))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    work.run(asked.pk)
    return Job.objects.select_related("plan").get(pk=asked.pk, state=Job.State.AWAITING)


def decision(job: Job, verdict: str = "approve", **more: str) -> tuple[str, dict[str, str]]:
    return f"approvals/{job.pk}/decision/", {"verdict": verdict, "digest": job.plan.digest, **more}


def test_what_waits_is_listed_as_it_is_to_the_caller(job, person, program):
    reviewer, operator = person("reviewer"), program("operator")
    (one,) = reviewer.get("approvals/", show="mine")["results"]
    assert (one["job"], one["digest"], one["mine"]) == (str(job.pk), job.plan.digest, True)
    assert "waiting for reviewer" in one["standing"]
    assert operator.get("approvals/", show="mine")["count"] == 0
    assert operator.get("approvals/", show="asked")["count"] == 1


def test_an_approval_lets_the_job_begin(job, person, console: House):
    told = person("reviewer").post(*decision(job, reason="looks right"))
    assert (told["state"], told["approval"]["state"]) == ("queued", "approved")
    assert told["approval"]["approved_by"] == ["reviewer"]
    event = Event.objects.get(action="request approved")
    assert event.how == "api" and "token" not in event.detail
    work.run(job.pk)
    assert console.staged()["1"][0] == "11.00"


@pytest.mark.parametrize(("verdict", "state"), [("reject", "rejected"), ("changes", "changes asked")])
def test_turned_down_it_ends(job, person, verdict, state):
    caller = person("reviewer")
    assert "needs a reason" in caller.post(*decision(job, verdict), status=409)["detail"]
    told = caller.post(*decision(job, verdict, reason="say which fees"))
    assert (told["state"], told["approval"]["state"]) == ("rejected", state)


def test_another_digest_decides_nothing(job, person):
    path, body = decision(job)
    told = person("reviewer").post(path, {**body, "digest": "0" * 64}, status=409)
    assert "not the one that you were shown" in told["detail"] and not Decision.objects.exists()


def test_an_old_login_is_asked_for_the_password(job, people):
    client = Client()
    client.force_login(people["reviewer"])  # which proves nothing
    caller = Caller(client)
    assert "Type your password" in caller.post(*decision(job), status=403)["detail"]
    assert "not your password" in caller.post(*decision(job, password="wrong"), status=403)["detail"]
    assert not Decision.objects.exists() and Event.objects.filter(action="confirmation refused").exists()
    caller.post(*decision(job, password=PASSWORD))


def test_who_may_not_decide_is_told_so_and_it_is_noted(job, person):
    person("ops").post(*decision(job), status=403)
    assert Event.objects.get(action="attempt refused").actor_name == "ops"


def test_a_window_that_is_none_is_told(job, person):
    assert "window" in person("reviewer").post(*decision(job, window="Never"), status=400)["errors"]
    assert Request.objects.get(job=job).state == "pending"


@pytest.mark.parametrize("scope", ["read", "ask"])
def test_no_token_decides_whatever_its_owner_may(job, program, scope):
    program("administrator", scope).post(*decision(job, password=PASSWORD), status=403)
    assert not Decision.objects.exists()


def test_the_owner_of_the_token_that_asked_never_approves(console: House, people, person, program):
    """Nor do they with every role."""
    ruling.limit(0)
    run = console.deliver("20260105", row("1"))
    asked = {"kind": "reprocess", "reason": "r", "runs": [str(run)]}
    told = program("administrator").post("jobs/", asked, status=201)
    work.run(Job.objects.get(pk=told["id"]).pk)
    job = Job.objects.select_related("plan").get(pk=told["id"])
    refused = person("administrator").post(*decision(job), status=409)
    assert "You had a hand in asking" in refused["detail"]
    assert person("reviewer").post(*decision(job))["state"] == "queued"
