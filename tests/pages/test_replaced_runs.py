"""The page of a run that was replaced leads to the one that counts now, however many replaced one another."""

import pytest

from tests.house import House, new_run, row
from warehouse import history

pytestmark = pytest.mark.django_db(databases="__all__")
OFFER = "Reprocess this run"


def test_each_of_a_chain_names_its_head_and_only_that_is_offered(console: House, as_):
    first = console.deliver("20260105", row("1"))
    client = as_("operator")
    assert OFFER in client.get(f"/runs/{first}/").content.decode()
    _job, outcome = console.reprocess(first)
    second = new_run(outcome)
    last_job, outcome = console.reprocess(second)
    third = new_run(outcome)
    for run in (first, second):
        assert history.heads(console.connection, run) == [third]
        page = client.get(f"/runs/{run}/").content.decode()
        assert OFFER not in page and "Every file of this run was replaced" in page
        assert f'href="/runs/{third}/">See the run that counts now</a>' in page
    page = client.get(f"/runs/{third}/").content.decode()
    assert OFFER in page and "was replaced" not in page and history.heads(console.connection, third) == []
    console.roll_back(last_job)
    assert history.heads(console.connection, first) == history.heads(console.connection, third) == [second]
    assert OFFER in client.get(f"/runs/{second}/").content.decode()
    assert f'href="/runs/{second}/">See the run' in client.get(f"/runs/{third}/").content.decode()


def test_a_run_with_a_file_that_still_counts_is_offered(console: House, as_):
    for org in "ab":
        console.write("20260105", row(org), org=org)
    (loaded,) = console.load().runs
    console.connection.execute(
        "UPDATE etl.load_run_files SET superseded_at = now(), superseded_by_load_run_file_id = load_run_file_id + 1"
        " WHERE per_org_id = 'a'"
    )
    assert OFFER in as_("operator").get(f"/runs/{loaded.load_run_id}/").content.decode()
    assert OFFER not in as_("viewer").get(f"/runs/{loaded.load_run_id}/").content.decode()
