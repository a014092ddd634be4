"""Asking for jobs: each kind by the same functions as pages and commands, once, and never by guess."""

from typing import Any
from uuid import UUID

import pytest

from api.asking import KINDS
from audit.models import Event
from jobs.models import Job
from tests.house import House, row
from tests.workers import approved, finished, worked

pytestmark = pytest.mark.django_db(databases="__all__")
NONE = UUID("6c8c4be4-1128-4355-9aaf-2d27db09a030")


@pytest.fixture
def run(console: House) -> UUID:
    made = console.deliver("20260105", row("1"), row("2"))
    console.write("20260105", row("1", fee="11"), row("2"))
    return made


def reprocess(run: UUID, **more: Any) -> dict[str, Any]:
    return {"kind": "reprocess", "reason": "fees were wrong", "runs": [str(run)], **more}


def test_a_token_asks_on_behalf_of_its_owner_and_the_plan_says_so(run, program, people, as_):
    caller = program("operator")
    told = caller.post("jobs/", reprocess(run), status=201)
    assert caller.headers["Location"] == f"/api/v1/jobs/{told['id']}/"
    assert told["asked_by"] == f"token {caller.token.name}" and told["requested_by"] == "operator"
    job = Job.objects.select_related("plan").get(pk=told["id"])
    assert job.asked_by == {people["operator"].pk}
    asked = Event.objects.get(action="job requested")
    assert (asked.how, asked.actor, asked.detail["token"]) == ("api", people["operator"], caller.token.name)
    page = as_("viewer").get(f"/jobs/{job.pk}/").content.decode()
    assert f"token {caller.token.name}" in page and "on behalf of operator" in page
    for path in ("/audit/?how=api", f"/jobs/{job.pk}/story/"):
        assert f"API, token {caller.token.name}" in as_("auditor").get(path).content.decode(), path


def test_a_person_asks_without_an_origin(run, person):
    told = person("operator").post("jobs/", reprocess(run, dry_run=True), status=201)
    assert (told["asked_by"], told["dry_run"]) == (None, True)
    assert Event.objects.get(action="job requested").how == "api"


def test_the_options_of_a_reprocessing_reach_its_plan(run, program):
    options = {"source": "raw", "which": "all", "extracts": ["Visits"], "since": "2026-01-01", "mode": "replace"}
    waves = {"shares": [50, 100], "pause_minutes": -1}
    told = program("operator").post("jobs/", reprocess(run, waves=waves, **options), status=201)
    plan = Job.objects.select_related("plan").get(pk=told["id"]).plan
    assert {name: plan.options[name] for name in options} == options
    assert (plan.kind, plan.options["waves"], plan.options["pause_minutes"]) == ("rollout", [50, 100], -1)


def test_archive_restore_rollback_and_retry_are_asked_for_too(run, console: House, program):
    """And each is carried out as when a page asks for it."""
    keeper, operator = program("archive admin"), program("operator")
    kept = keeper.post("jobs/", {"kind": "archive", "reason": "r", "run": str(run), "retention_days": 60}, status=201)
    assert finished(Job.objects.get(pk=kept["id"])).state == "succeeded"
    (entry,) = keeper.get("archives/", run=run)["results"]
    assert entry["rows"] == 2 and keeper.get(f"archives/{entry['set']}/")["parts"][0]["table"] == "visits"
    shown = keeper.post("jobs/", {"kind": "restore", "reason": "r", "set": entry["set"], "dry_run": True}, status=201)
    assert finished(Job.objects.get(pk=shown["id"])).state == "previewed"
    assert keeper.get(f"jobs/{shown['id']}/")["tables"]["visits"]["identical"] == 2
    done = finished(Job.objects.get(pk=operator.post("jobs/", reprocess(run), status=201)["id"]))
    back = operator.post("jobs/", {"kind": "rollback", "reason": "r", "job": str(done.pk)}, status=201)
    assert worked(Job.objects.get(pk=back["id"])).state == "awaiting approval"
    assert operator.get(f"jobs/{back['id']}/")["approval"]["standing"].startswith("0 of 1 approval")
    told = operator.post("jobs/", {"kind": "retry", "job": str(done.pk)}, status=422)
    assert "nothing to retry" in told["detail"]
    for asked in (kept, shown, back):
        assert asked["asked_by"].startswith("token "), asked["kind"]


def test_a_restore_is_let_go_again_and_a_cleanup_lists_what_goes(run, console: House, program, people):
    keeper = program("archive admin")
    kept = keeper.post("jobs/", {"kind": "archive", "reason": "r", "run": str(run)}, status=201)
    finished(Job.objects.get(pk=kept["id"]))
    console.deliver("20260106", row("1", fee="99"))
    (entry,) = keeper.get("archives/", run=run)["results"]
    wanted = {"kind": "restore", "reason": "r", "set": entry["set"], "on_newer": "overwrite"}
    restore = approved(Job.objects.get(pk=keeper.post("jobs/", wanted, status=201)["id"]), people)
    assert (restore.state, console.staged()["1"][0]) == ("succeeded", "10.00")

    asked = keeper.post("jobs/", {"kind": "unpin", "reason": "r", "job": str(restore.pk)}, status=201)
    assert asked["asked_by"] == f"token {keeper.token.name}"
    assert approved(Job.objects.get(pk=asked["id"]), people).state == "succeeded"
    assert (console.staged()["1"][0], console.violations()) == ("99.00", 0)
    told = keeper.post("jobs/", {"kind": "unpin", "reason": "r", "job": str(restore.pk)}, status=422)
    assert "nothing to let go" in told["detail"]

    listed = keeper.post("jobs/", {"kind": "cleanup", "reason": "r", "dry_run": True}, status=201)
    done = finished(Job.objects.get(pk=listed["id"]))
    assert (done.kind, done.state, done.plan.options["older_than"]) == ("cleanup", "previewed", None)


def test_a_moment_that_cannot_be_recovered_is_told(console: House, program):
    keeper, asked = program("archive admin"), {"kind": "recover", "reason": "r", "table": "visits"}
    past, future = "2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z"
    for more, said in (
        ({"at": past, "table": "nothing"}, "There is no table stg.nothing"),
        ({"at": future}, "has not come yet"),
        ({"before_job": str(NONE)}, "has changed nothing in this warehouse"),
    ):
        assert said in keeper.post("jobs/", {**asked, **more}, status=422)["detail"]
    program("operator").post("jobs/", {**asked, "at": past}, status=403)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    "at", ["2026-04-05T02:30:00", "2026-09-27T02:30:00", "0001-01-01T00:00:00", "9999-12-31T23:00:00Z"]
)
def test_a_moment_that_the_clocks_show_twice_or_never_is_not_guessed(console, program, at):
    """Auckland's clocks go back on 5 April and ahead on 27 September; nor is one taken that no zone can tell."""
    body = {"kind": "recover", "reason": "r", "table": "visits", "at": at}
    assert "at" in program("archive admin").post("jobs/", body, status=400)["errors"]
    program("archive admin").post("jobs/", {**body, "at": "2026-04-05T02:30:00+12:00"}, status=422)


def test_sent_again_it_asks_once(run, program):
    caller = program("archive admin")
    asked = {"kind": "archive", "reason": "r", "run": str(run)}
    first = caller.post("jobs/", asked, status=201, Idempotency_Key="nightly 1")
    again = caller.post("jobs/", asked, status=200, Idempotency_Key="nightly 1")
    assert first["id"] == again["id"] and caller.headers["Location"].endswith(f"{first['id']}/")
    told = caller.post("jobs/", {**asked, "reason": "other"}, status=422, Idempotency_Key="nightly 1")
    assert "used for another request" in told["detail"]
    other = program("administrator").post("jobs/", asked, status=201, Idempotency_Key="nightly 1")
    assert other["id"] != first["id"] and Job.objects.count() == 2


def test_a_refused_request_can_be_sent_again_with_its_key(run, program):
    caller = program("operator")
    caller.post("jobs/", reprocess(NONE), status=422, Idempotency_Key="k")
    caller.post("jobs/", reprocess(run), status=201, Idempotency_Key="k")


def test_a_run_that_is_held_answers_with_the_job_that_holds_it(run, program):
    caller = program("operator")
    first = caller.post("jobs/", reprocess(run), status=201)
    told = caller.post("jobs/", reprocess(run), status=409)
    assert told["job"] == first["id"] and Job.objects.count() == 1


def test_a_job_is_cancelled_once(run, program):
    caller = program("operator")
    job = caller.post("jobs/", reprocess(run), status=201)["id"]
    assert caller.post(f"jobs/{job}/cancel/")["state"] == "cancelled"
    caller.post(f"jobs/{job}/cancel/", status=409)
    assert Event.objects.get(action="job cancelled").detail["token"] == caller.token.name


WRONG = {
    "no kind": ({"reason": "r"}, "kind"),
    "a kind that is none": ({"kind": "delete"}, "kind"),
    "a kind that is a list": ({"kind": ["reprocess"]}, "kind"),
    "no object": ([], "kind"),
    "an unknown key": ({**reprocess(NONE), "state": "succeeded"}, "state"),
    "no reason": ({**reprocess(NONE), "reason": " "}, "reason"),
    "a NUL in the reason": ({**reprocess(NONE), "reason": "a\0b"}, "reason"),
    "half a character": ('{"kind": "retry", "job": "\\ud800"}', "job"),
    "a long reason": ({**reprocess(NONE), "reason": "x" * 501}, "reason"),
    "no runs": ({**reprocess(NONE), "runs": []}, "runs"),
    "too many runs": ({**reprocess(NONE), "runs": [str(NONE)] * 101}, "runs"),
    "a run that is none": ({**reprocess(NONE), "runs": ["x"]}, "runs"),
    "a source that is none": ({**reprocess(NONE), "source": "web"}, "source"),
    "days in the wrong order": ({**reprocess(NONE), "since": "2026-02-01", "until": "2026-01-01"}, "until"),
    "a file's number beyond all": ({**reprocess(NONE), "files": [2**31]}, "files"),
    "waves that do not end": ({**reprocess(NONE), "waves": {"shares": [1, 50]}}, "waves"),
    "waves of no number": ({**reprocess(NONE), "waves": {"shares": [1, "nan", 100]}}, "waves"),
    "an unknown key within": ({**reprocess(NONE), "waves": {"share": [100]}}, "waves"),
    "no moment": ({"kind": "recover", "reason": "r", "table": "visits"}, "at"),
    "a moment and a job": (
        {"kind": "recover", "reason": "r", "table": "visits", "at": "2026-01-01T00:00:00Z", "before_job": str(NONE)},
        "at",
    ),
    "a moment that is none": ({"kind": "recover", "reason": "r", "table": "visits", "at": "noon"}, "at"),
    "days below zero": ({"kind": "cleanup", "reason": "r", "older_than": -1}, "older_than"),
    "a set that is none": ({"kind": "restore", "reason": "r", "set": "x"}, "set"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_understood_is_told_by_name_and_makes_nothing(program, name):
    body, field = WRONG[name]
    told = program("administrator").post("jobs/", body, status=400)
    assert field in told["errors"] and not Job.objects.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_of_a_job_or_its_plan_is_set_by_who_asks(program, kind):
    """Whatever is not named by the kind's own body is refused."""
    named = set(KINDS[kind].body().fields)
    fields = {field.name for model in (Job, Job.plan.field.related_model) for field in model._meta.get_fields()}
    body = {"kind": kind, **dict.fromkeys(fields - named, "x")}
    told = program("administrator").post("jobs/", body, status=400)
    assert fields - named <= set(told["errors"]) and not Job.objects.exists()


@pytest.mark.parametrize(
    ("body", "status"), [("{", 400), ("[" * 100_000, 400), ('{"kind": NaN}', 400), (" " * 300_000, 413)]
)
def test_a_body_that_is_no_json_is_answered(program, body, status):
    program("operator").post("jobs/", body, status=status)


def test_another_kind_of_body_is_answered(people, client):
    client.force_login(people["operator"])
    answer = client.post("/api/v1/jobs/", {"kind": "reprocess"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (415, "application/problem+json")


@pytest.mark.parametrize("key", ["", "x" * 101, "a\tb", "ü"])
def test_a_key_that_is_none_is_refused(program, key):
    told = program("operator").post("jobs/", reprocess(NONE), status=400, Idempotency_Key=key)
    assert "Idempotency-Key" in told["errors"]
