"""A worker that knows another declaration than who asked carries nothing out, and says what to do."""

from dataclasses import replace

import pytest

from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row
from tests.workers import worked
from warehouse import registry
from warehouse.registry import Registry

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.mark.parametrize("previewed", [False, True])
def test_a_job_asked_for_with_another_declaration_is_refused(console: House, people, settings, monkeypatch, previewed):
    run = console.deliver("20260105", row("1"))
    console.write("20260105", row("1", fee="11"))
    job = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    if previewed:
        worked(job)
    before, changed = console.state(), replace(console.visits, rules=(), record_updated_at=None)
    others = [extract for extract in console.registry.extracts if extract.name != "Visits"]
    monkeypatch.setattr(registry, "current", lambda: Registry([*others, changed]))
    job = worked(job)
    assert job.state == Job.State.FAILED
    assert "declaration of Visits" in job.error and "Restart web, worker and watcher" in job.error
    assert console.state() == before
