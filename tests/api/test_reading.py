"""What is read of runs, jobs, approvals, archives and the trail: true counts, filters, pages, and no value of a row."""

from uuid import UUID, uuid4

import pytest

from jobs import work
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")
CANARY = "Zebedee"


@pytest.fixture
def run(console: House) -> UUID:
    made = console.deliver("20260105", row("1", note=CANARY), row("2", seen=CANARY))
    console.write("20260105", row("1", fee="11", note=CANARY), row("2", note=CANARY))
    return made


@pytest.fixture
def job(run: UUID, people, settings) -> Job:
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    work.run(asked.pk)
    return Job.objects.get(pk=asked.pk)


def test_runs_with_their_counts_and_files(run, program):
    reader = program("viewer", "read")
    listed = reader.get("runs/")
    assert (listed["count"], listed["page"], listed["pages"]) == (1, 1, 1)
    (one,) = listed["results"]
    assert (one["id"], one["state"], one["records_read"], one["records_rejected"]) == (str(run), "completed", 2, 1)
    whole = reader.get(f"runs/{run}/")
    assert whole["run"] == one and whole["files"][0]["key"].endswith("a_visits_20260105.csv")
    assert reader.get("runs/", state="failed")["results"] == [] == reader.get("runs/", page=7)["results"]
    reader.get(f"runs/{uuid4()}/", status=404)


def test_a_job_with_its_plan_its_counts_and_its_outcome(job, program):
    reader = program("viewer", "read")
    told = reader.get(f"jobs/{job.pk}/")
    assert (told["state"], told["plan_digest"], told["approval"]) == ("queued", job.plan.digest, None)
    assert (told["tables"]["visits"]["updated"], told["tables"]["visits"]["inserted"]) == (1, 1)
    assert told["included"][0]["extract"] == "Visits" and told["new_load_runs"] == []
    work.run(job.pk)
    told = reader.get(f"jobs/{job.pk}/")
    assert told["state"] == "succeeded" and len(told["new_load_runs"]) == 1
    assert [found["id"] for found in reader.get("jobs/", state="succeeded", table="visits")["results"]] == [str(job.pk)]
    assert reader.get("jobs/", kind="archive")["count"] == 0
    assert reader.get(f"runs/{told['load_runs'][0]}/")["jobs"][0]["id"] == str(job.pk)
    reader.get(f"jobs/{uuid4()}/", status=404)


def test_no_value_of_a_row_is_told(job, console: House, program, settings):
    """Though a preview shows samples on its page, and a file that cannot be read quotes itself."""
    work.run(job.pk)
    reader = program("administrator", "read")
    for path in ("runs/", f"runs/{job.plan.load_runs[0]}/", "jobs/", f"jobs/{job.pk}/", "archives/", "audit/events/"):
        assert CANARY not in str(reader.get(path)), path
