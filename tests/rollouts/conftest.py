"""A run of four practices whose fees have all changed, and its reprocessing in waves."""

import pytest

from approvals import gate
from approvals.models import Request
from jobs import work
from jobs.models import Job
from reprocessing import requests
from reprocessing.models import Wave
from reprocessing.planning import Options
from reprocessing.waves import Rules
from tests import ruling
from tests.house import House, row

ORGS = "abcd"
EACH = 40
TWO = Rules((25, 100))


def rows(org: str, *, fee: str, bad: int = 0, most: int = EACH):
    return [row(f"{org}{n}", fee="never" if n < bad else fee) for n in range(most)]


@pytest.fixture
def run(console: House):
    """One run of four practices' files; since then every fee has changed."""
    for org in ORGS:
        console.write("20260105", *rows(org, fee="1"), org=org)
    (loaded,) = console.load().runs
    for org in ORGS:
        console.write("20260105", *rows(org, fee="2"), org=org)
    return loaded.load_run_id


@pytest.fixture
def ask(console, people, settings):
    def asked(run, waves=TWO, actor="operator", **options):
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL, [run], Options(**options), reason="rule", actor=people[actor], waves=waves
        )

    return asked


def again(job: Job):
    return Job.objects.select_related("plan", "rollout").get(pk=job.pk)


def fees(console: House) -> dict[str, int]:
    found = console.connection.execute("SELECT fee::text, count(*) FROM stg.visits GROUP BY 1").fetchall()
    return dict(found)


def states(job: Job) -> list[str]:
    return list(Wave.objects.filter(rollout__job=job).values_list("state", flat=True))


@pytest.fixture
def small_limit(people):
    """Each wave is below this limit and the whole is above it."""
    ruling.limit(130)


def approved(job: Job, people):
    work.run(job.pk)
    request = Request.objects.get(job=job)
    gate.decide(request, people["reviewer"], approve=True, digest=again(job).plan.digest, reason="")
