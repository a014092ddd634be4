"""Pages by plain requests: who may open what, true numbers, clear answers to wrong input."""

from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.utils import timezone

from access import rights
from approvals import gate
from approvals.models import Request
from jobs import work
from jobs.models import Job
from jobs.reconciler import reconcile
from reprocessing import requests
from reprocessing.planning import Options
from tests import ruling
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")
OPEN = {"login", "logout", "healthz", "theme", "metrics"}


def test_every_view_declares_its_right():
    for pattern in get_resolver().url_patterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name not in OPEN:
            assert getattr(pattern.callback, "right", None) in rights.RIGHTS, pattern.name


@pytest.fixture
def run(console: House) -> UUID:
    made = console.deliver("20260105", row("1"), row("2", seen="x"))
    console.write("20260105", row("1", fee="11"), row("2"))
    return made


@pytest.fixture
def job(run: UUID, people, settings) -> Job:
    asked = requests.ask_reprocess(
        settings.WAREHOUSE_URL, [run], Options(), reason="<b>rule</b>", actor=people["operator"]
    )
    work.run(asked.pk)
    return Job.objects.get(pk=asked.pk)


@pytest.mark.parametrize("role", list(rights.ROLES))
def test_each_role_opens_what_it_may(as_, job, run, role):
    client = as_(role)
    asks = role in ("operator", "administrator")
    cancels = role in ("operator", "archive admin", "ops", "administrator")
    decides = role in ("reviewer", "administrator")
    for path in ("/runs/", f"/runs/{run}/", "/jobs/", f"/jobs/{job.pk}/", "/approvals/"):
        assert client.get(path).status_code == 200, path
    assert client.get(f"/runs/{run}/reprocess/").status_code == (200 if asks else 403)
    assert client.get(f"/jobs/{job.pk}/rollback/").status_code == (200 if asks else 403)
    assert client.post(f"/jobs/{job.pk}/decision/").status_code == (404 if decides else 403)
    assert client.post(f"/jobs/{job.pk}/cancel/").status_code == (302 if cancels else 403)


def test_a_user_without_a_role_sees_nothing_and_is_told_why(console, people, job):
    people["viewer"].groups.clear()
    client = Client()
    client.force_login(people["viewer"])
    answer = client.get("/runs/")
    assert answer.status_code == 403
    assert "The roles that do: viewer, operator" in answer.content.decode()


def test_pages_need_a_login_and_acts_need_a_post(console, job, as_):
    assert Client().get(f"/jobs/{job.pk}/").headers["Location"].startswith("/login/")
    assert as_("operator").get(f"/jobs/{job.pk}/cancel/").status_code == 405
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(job.requested_by)
    assert guarded.post(f"/jobs/{job.pk}/cancel/").status_code == 403


def test_the_numbers_of_the_list_are_those_of_the_warehouse(console, as_, run):
    bad = console.write("20260112", row("3"), org="b")
    bad.write_text("spoilt\n")
    console.write("20260112", row("4"), org="c")
    console.load()
    answer = as_("viewer").get("/runs/")
    first, second = answer.context["page"].object_list
    assert (first.state, first.files_all, first.files_failed, first.read) == ("completed with failures", 2, 1, 1)
    assert (second.state, second.read, second.rejected) == ("completed", 2, 1)
    assert '1 <span class="muted">(50.0 %)</span>' in answer.content.decode()


def test_filters_narrow_the_list_and_a_wrong_one_says_so(console, as_, run):
    client = as_("viewer")
    today = timezone.localdate().isoformat()

    def found(query: str) -> int:
        return int(client.get(f"/runs/?{query}").context["page"].paginator.count)

    assert [found(q) for q in ("state=completed", "state=failed", "extract=Visits", "extract=Patient")] == [1, 0, 1, 0]
    assert [found(q) for q in (f"since={today}", "until=2020-01-01")] == [1, 0]
    wrong = client.get("/runs/?since=2026-02-02&until=2026-01-01")
    assert "before the first one" in wrong.content.decode()
    assert client.get("/runs/?state=nonsense&page=x").status_code == 200


def test_a_run_page_names_the_causes_and_no_value(console, as_, run):
    page = as_("viewer").get(f"/runs/{run}/").content.decode()
    assert "not a date" in page
    assert "text of 1 characters" in page
    assert as_("viewer").get(f"/runs/{uuid4()}/").status_code == 404


def test_what_people_write_is_shown_as_text(as_, job):
    page = as_("viewer").get(f"/jobs/{job.pk}/").content.decode()
    assert "&lt;b&gt;rule&lt;/b&gt;" in page
    assert "<b>rule</b>" not in page


def test_a_second_request_leads_to_the_active_job(as_, job, run):
    answer = as_("administrator").post(
        f"/runs/{run}/reprocess/", {"source": "files", "which": "all", "reason": "again"}
    )
    assert answer.headers["Location"] == f"/jobs/{job.pk}/"


def test_a_form_without_a_reason_comes_back(as_, run):
    answer = as_("operator").post(f"/runs/{run}/reprocess/", {"source": "files", "which": "all", "reason": " "})
    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()
    assert not Job.objects.exists()


def test_the_live_part_stops_asking_when_the_job_is_over(as_, job):
    work.run(job.pk)
    answer = as_("viewer").get(f"/jobs/{job.pk}/?state=succeeded", headers={"HX-Request": "true", "HX-Target": "live"})
    assert answer.status_code == 286
    answer = as_("viewer").get(f"/jobs/{job.pk}/?state=running", headers={"HX-Request": "true", "HX-Target": "live"})
    assert answer.headers["HX-Refresh"] == "true"


def test_the_theme_is_kept_and_leads_nowhere_else(client):
    answer = client.post("/theme/", {"theme": "dark", "next": "https://elsewhere.example/"})
    assert (answer.headers["Location"], answer.cookies["theme"].value) == ("/", "dark")


def test_nothing_comes_from_elsewhere(as_, job):
    answer = as_("viewer").get(f"/jobs/{job.pk}/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    assert "style=" not in answer.content.decode()


def test_a_request_that_nobody_decides_ends(console, people, run, settings):
    ruling.limit(0)
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="late", actor=people["operator"])
    work.run(asked.pk)
    request = Request.objects.get(job=asked)
    reconcile(now=request.expires_at - gate.VALID_FOR / 2)
    asked.refresh_from_db()
    assert asked.state == "awaiting approval"
    reconcile(now=request.expires_at + gate.VALID_FOR)
    asked.refresh_from_db()
    assert (asked.state, "Nobody decided" in asked.error) == ("cancelled", True)
    with pytest.raises(gate.RefusedError):
        gate.decide(request, people["reviewer"], approve=True, digest=asked.plan.digest, reason="")


def test_the_command_lists_jobs_newest_first(job: Job, told):
    listed = told("jobs", "list", "--state", job.state, "--kind", "reprocess")
    assert listed["count"] == 1 and listed["jobs"][0]["job"] == str(job.pk)
    assert told("jobs", "list", "--until", "2001-01-01") == {"count": 0, "jobs": []}
