"""One plan about several load runs: one filter, one effect, one way back."""

from datetime import date
from uuid import UUID

import pytest

from jobs import submission
from jobs.models import JobRun
from jobs.submission import AlreadyActiveError
from reprocessing import requests
from reprocessing.planning import CannotPlanError, Options
from tests.house import House, row
from tests.workers import finished

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def ask(console: House, people, settings):
    def asked(*runs, reason="the rule changed", **options):
        return requests.ask_reprocess(
            settings.WAREHOUSE_URL, runs, Options(**options), reason=reason, actor=people["operator"]
        )

    return asked


@pytest.fixture
def runs(console: House):
    """Three runs; since then the file of each has changed. Key 1 is in all of them, the last one's record stands."""
    made = [console.deliver(f"2026010{day}", row("1", fee=str(day)), row(f"1{day}")) for day in (5, 6, 7)]
    for day in (5, 6, 7):
        console.write(f"2026010{day}", row("1", fee=f"{day}0"), row(f"1{day}", fee="11"), row("x", seen="never"))
    return made


def test_several_runs_are_one_plan_and_each_gets_a_new_run(console, ask, runs):
    job = finished(ask(*reversed(runs)))
    assert job.state == "succeeded", job.error
    assert [item["key"][9:17] for item in job.plan.included] == ["20260105", "20260106", "20260107"], "by source time"
    assert console.staged() == {
        "1": ("70.00", None),
        "15": ("11.00", None),
        "16": ("11.00", None),
        "17": ("11.00", None),
    }
    assert console.violations() == 0
    assert job.outcome and set(job.outcome["load_runs"]) == {str(run) for run in runs}
    parents = console.connection.execute("SELECT parent_load_run_id, load_run_id FROM restage.run_parents").fetchall()
    assert {(str(old), str(new)) for old, new in parents} == set(job.outcome["load_runs"].items())
    told = console.connection.execute(
        "SELECT total_rows_read, total_rows_transformed, total_rows_rejected, total_rows_deduplicated"
        " FROM etl.staging_runs WHERE load_run_id = ANY(%s)",
        [list(job.outcome["load_runs"].values())],
    ).fetchall()
    assert sum(read for read, *_ in told) == 9
    assert sorted(told) == [(3, 1, 1, 1), (3, 1, 1, 1), (3, 2, 1, 0)], "read = transformed + rejected + deduplicated"
    assert not JobRun.objects.filter(held=True).exists()


def test_a_rollback_takes_all_of_them_back(console, ask, runs):
    before = console.staged()
    job = finished(ask(*runs))
    outcome = console.roll_back(job.pk, by=job.plan_id)
    assert job.outcome and sorted(outcome["taken_back"]) == sorted(job.outcome["load_runs"].values())
    assert console.staged() == before
    assert console.violations() == 0


def test_the_days_of_extraction_narrow_the_plan(console, ask, runs):
    job = finished(ask(*runs, since=date(2026, 1, 6), until=date(2026, 1, 6)))
    assert [item["run"] for item in job.plan.included] == [str(runs[1])]
    assert [item["code"] for item in job.plan.excluded] == ["too old", "too new"]
    assert console.staged()["1"] == ("7.00", None), "the newer file's record stands"
    assert console.violations() == 0


def test_a_run_that_another_job_holds_is_left_out_with_that_reason(console, ask, runs):
    first = ask(runs[0])
    with pytest.raises(AlreadyActiveError) as refused:
        ask(runs[0])
    assert refused.value.job == first
    second = ask(*runs)
    assert [(item["run"], item["code"]) for item in second.plan.excluded] == [(str(runs[0]), "in flight")]
    assert set(submission.holders(runs)) == set(runs)
    assert finished(first).state == finished(second).state == "succeeded"
    assert console.violations() == 0


def test_a_run_that_does_not_exist_refuses_the_plan(console, ask, runs):
    with pytest.raises(CannotPlanError, match="There is no load run 00000000-"):
        ask(runs[0], UUID(int=0))
    assert not JobRun.objects.exists()
