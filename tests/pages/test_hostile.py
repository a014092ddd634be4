"""Hostile requests: what a browser would never send is answered clearly, and nothing comes of it."""

from uuid import UUID

import pytest
from django.db import ProgrammingError, transaction
from django.test import Client

from access import rights
from approvals.models import Decision, Request
from jobs import work
from jobs.models import Job, Plan
from reprocessing import requests, rollback_requests
from reprocessing.planning import Options
from tests.house import House, row
from tests.proofs import further
from tests.tampering import unguarded

pytestmark = pytest.mark.django_db(databases="__all__")
ODD = ["\x00", "9" * 5000, "' OR 1=1 --", "a\x00b", "\ud7ff\U0010ffff", "-1", "1e9", "<script>", "%", "../../etc"]


@pytest.fixture
def awaiting(console: House, people, settings) -> Job:
    run = console.deliver("20260105", row("1"), row("2"))
    console.write("20260105", row("1", fee="11"), row("2"))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    work.run(asked.pk)
    work.run(asked.pk)
    done = Job.objects.get(pk=asked.pk)
    assert done.state == Job.State.SUCCEEDED
    undo = rollback_requests.ask(settings.WAREHOUSE_URL, done, reason="r", actor=people["operator"])
    work.run(undo.pk)
    undo.refresh_from_db()
    assert undo.state == Job.State.AWAITING
    return undo


def client_of(user, **how) -> Client:
    made = Client(**how)
    made.force_login(user)
    return made


@pytest.mark.parametrize("odd", further(ODD, tried=2))
def test_an_odd_value_in_any_parameter_is_answered(console: House, people, odd):
    run = console.deliver("20260105", row("1"))
    client = client_of(people["administrator"])
    for path, names in {
        "/runs/": ("state", "extract", "since", "until", "page"),
        "/jobs/": ("state", "page"),
        f"/runs/{run}/reprocess/": ("source", "which", "extracts", "reason", "dry_run", "only_files", "since", "mode"),
        "/freshness/": ("extract",),
        "/freshness/reprocess/": ("extract", "group"),
        "/approvals/": ("page",),
        "/discovery/": ("why", "extract", "cause", "age_of", "older_than", "newer_than", "most"),
        "/discovery/reprocess/": ("why", "cause", "most"),
        "/login/": ("next",),
    }.items():
        for name in names:
            assert client.get(path, {name: odd}).status_code in (200, 302), (path, name)


@pytest.mark.parametrize("path", ["/runs/", "/archives/", "/audit/", "/"])
def test_the_last_day_of_all_is_answered(console: House, people, path):
    client = client_of(people["administrator"])
    for day in ("9999-12-31", "0001-01-01"):
        assert client.get(path, {"since": day, "until": day, "range": "custom"}).status_code == 200


@pytest.mark.parametrize("odd", ["\x00", "x" * 501, " ", "\x00reason"])
def test_an_odd_reason_makes_no_job(console: House, people, odd):
    run = console.deliver("20260105", row("1"))
    client = client_of(people["operator"])
    answer = client.post(f"/runs/{run}/reprocess/", {"source": "files", "which": "all", "reason": odd})
    assert answer.status_code == 422
    assert not Job.objects.exists()


def test_nothing_is_decided_without_the_digest_a_right_or_a_token(awaiting: Job, people):
    path = f"/jobs/{awaiting.pk}/decision/"
    good = {"digest": awaiting.plan.digest, "verdict": "approve", "reason": "", "password": "pass-word-1"}
    for name in ("viewer", "operator", "ops", "auditor", "archive admin"):
        assert client_of(people[name]).post(path, good).status_code == 403
    for digest in ("", "0" * 64, good["digest"][:-1], good["digest"].upper(), good["digest"] + "\x00"):
        client_of(people["reviewer"]).post(path, {**good, "digest": digest})
    for verdict in ("", "APPROVE", "yes", "approve "):
        client_of(people["reviewer"]).post(path, {**good, "verdict": verdict})
    assert client_of(people["reviewer"]).get(path, good).status_code == 405
    assert client_of(people["reviewer"], enforce_csrf_checks=True).post(path, good).status_code == 403
    assert Client().post(path, good).status_code in (302, 403)
    people["reviewer"].is_active = False
    reviewer = client_of(people["reviewer"])
    people["reviewer"].save()
    assert reviewer.post(path, good).status_code in (302, 403)
    assert not Decision.objects.exists()
    assert Request.objects.get().state == Request.State.PENDING


def test_who_asked_does_not_decide_whatever_their_roles(awaiting: Job, people):
    rights.give(people["operator"], ["administrator", "reviewer"])
    good = {"digest": awaiting.plan.digest, "verdict": "approve", "reason": "", "password": "pass-word-1"}
    client_of(people["operator"]).post(f"/jobs/{awaiting.pk}/decision/", good)
    assert not Decision.objects.exists()


def test_a_plan_changed_behind_the_back_is_not_carried_out(awaiting: Job, people):
    """Also after the approval: the worker compares again."""
    good = {"digest": awaiting.plan.digest, "verdict": "approve", "reason": "", "password": "pass-word-1"}
    client_of(people["reviewer"]).post(f"/jobs/{awaiting.pk}/decision/", good)
    awaiting.refresh_from_db()
    assert awaiting.state == Job.State.QUEUED
    changed = {**awaiting.plan.options, "job": str(UUID(int=1))}
    with pytest.raises(ProgrammingError, match="stays as it is"), transaction.atomic():
        Plan.objects.filter(pk=awaiting.plan_id).update(options=changed)
    with unguarded("jobs_plan"):
        Plan.objects.filter(pk=awaiting.plan_id).update(options=changed)
    work.run(awaiting.pk)
    awaiting.refresh_from_db()
    assert awaiting.state == Job.State.FAILED
    assert "The plan is not the one that was frozen" in awaiting.error


def test_an_approval_ends_with_the_right_to_give_it(awaiting: Job, people):
    good = {"digest": awaiting.plan.digest, "verdict": "approve", "reason": "", "password": "pass-word-1"}
    client_of(people["reviewer"]).post(f"/jobs/{awaiting.pk}/decision/", good)
    rights.give(people["reviewer"], ["viewer"])
    work.run(awaiting.pk)
    awaiting.refresh_from_db()
    assert awaiting.state == Job.State.FAILED
    assert "may not decide any more" in awaiting.error


def test_a_job_that_needs_an_approval_is_not_carried_out_without_one(awaiting: Job):
    """Somebody who can write the table of jobs queues it by hand."""
    with pytest.raises(ProgrammingError, match="no approval"), transaction.atomic():
        Job.objects.filter(pk=awaiting.pk).update(state=Job.State.QUEUED)
    with unguarded("jobs_job"):
        Job.objects.filter(pk=awaiting.pk).update(state=Job.State.QUEUED)
    work.run(awaiting.pk)
    awaiting.refresh_from_db()
    assert awaiting.state == Job.State.FAILED
    assert "needs an approval and has none" in awaiting.error


@pytest.mark.parametrize("odd", further(ODD, tried=2))
def test_an_odd_moment_or_group_does_nothing(console: House, people, odd):
    console.deliver("20260105", row("1"))
    client = client_of(people["administrator"])
    answer = client.post("/downstream/Visits/merged/", {"seen": odd, "reason": "r"}, follow=True)
    assert "Nothing was taken" in answer.content.decode()
    answer = client.post("/freshness/reprocess/?extract=Visits&group=0", {"mark": odd, "reason": "r"})
    assert answer.status_code == 422 and not Job.objects.exists()


def test_a_file_number_beyond_any_is_not_found(console: House, people):
    assert client_of(people["viewer"]).get(f"/freshness/files/{10**30}/").status_code == 404
