"""The whole way of an archive: kept, overtaken by a later load, damaged in staging, put back, removed in the end."""

from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.utils import timezone

from archives import keeping, restore_requests
from archives.restore_requests import Wanted
from audit.models import Event
from jobs import relay
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row
from tests.workers import finished, worked
from warehouse import archive_judging

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def kept(console: House, people, settings) -> UUID:
    """Three visits of one run, archived by a job."""
    run = console.deliver("20260105", row("1", fee="11"), row("2", fee="22"), row("3", fee="-33"))
    job = finished(
        keeping.ask(settings.WAREHOUSE_URL, run, reason="before the move", actor=people["operator"], now=timezone.now())
    )
    assert job.state == "succeeded"
    return UUID(job.outcome["set"])


def restored(kept: UUID, people, settings, **wanted):
    wish = Wanted(kept, **wanted)
    return finished(
        restore_requests.ask(settings.WAREHOUSE_URL, wish, reason="lost at night", actor=people["archive admin"])
    )


def test_a_restore_after_a_later_load_leaves_newer_owners_and_changes_nothing_twice(
    console: House, people, settings, kept: UUID
):
    console.deliver("20260106", row("2", fee="99"), org="b")
    console.connection.execute("DELETE FROM stg.visits WHERE visit_id = '1'")
    console.connection.execute("UPDATE stg.visits SET fee = 33 WHERE visit_id = '3'")
    job = restored(kept, people, settings)
    assert job.state == "succeeded"
    assert console.staged() == {"1": ("11.00", None), "2": ("99.00", None), "3": ("-33.00", None)}
    counts = job.outcome["tables"]["visits"]
    assert (counts["absent"], counts["changed"], counts["newer"], counts["inserted"]) == (1, 1, 1, 1)
    assert console.violations() == 0
    again = restored(kept, people, settings).outcome["tables"]["visits"]
    assert (again["inserted"], again["updated"], again["identical"]) == (0, 0, 2)
    assert console.violations() == 0


def test_the_trail_tells_all_of_it(console: House, people, settings, kept: UUID, as_):
    console.connection.execute("DELETE FROM stg.visits")
    restored(kept, people, settings)
    while relay.relay(console.connection):
        pass
    told = list(Event.objects.filter(how="warehouse").order_by("id").values_list("action", flat=True))
    assert told == ["archive", "restore"]


def test_what_a_restore_replaced_is_kept_and_can_be_put_back(console: House, people, settings, kept: UUID):
    console.connection.execute("UPDATE stg.visits SET fee = 1 WHERE visit_id = '1'")
    outcome = restored(kept, people, settings).outcome
    (safety,) = console.connection.execute(
        "SELECT set_id FROM restage.archive_sets WHERE kind = 'safety'"
    ).fetchone() or (None,)
    assert str(safety) in str(outcome)
    assert restored(safety, people, settings, on_newer="skip").state == "succeeded"
    assert console.staged()["1"] == ("1.00", None)


def test_a_set_that_a_restore_reads_is_not_removed(console: House, people, settings, kept: UUID):
    """Nor is it used any more once that has ended."""
    late = timezone.now() + timedelta(days=400)
    look = partial(archive_judging.judge, console.connection, console.registry, now=late)
    job = restore_requests.ask(
        settings.WAREHOUSE_URL, Wanted(kept, on_newer="fail"), reason="to look", actor=people["archive admin"]
    )
    assert look()[0].code == archive_judging.GOES
    worked(job)
    assert look()[0].code == archive_judging.USED
    worked(job)
    assert look()[0].code == archive_judging.GOES


def test_the_ladder_of_a_later_job_names_the_set(console: House, people, settings, kept: UUID, as_):
    (run,) = console.connection.execute("SELECT load_run_id FROM restage.archive_sets").fetchone() or (None,)
    console.write("20260105", row("1", fee="12"), row("2", fee="22"), row("3", fee="-33"))
    job = finished(
        requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="a rule", actor=people["operator"])
    )
    assert "1 set holds 3 rows of the replaced load runs." in as_("operator").get(f"/jobs/{job.pk}/").content.decode()
