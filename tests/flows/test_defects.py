"""What the queue and the log keep of an unforeseen error: its type and its place, never what it says."""

import traceback
from dataclasses import replace
from multiprocessing import Queue, Value
from typing import Any

import pytest
from django.conf import settings
from django_q.worker import worker

from jobs import kinds, work
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")
VALUE = "Aroha Example, 1980-02-30"


@pytest.fixture
def failing(console: House, people, monkeypatch) -> Job:
    """A job at which the code of its kind stumbles over a value of a row."""

    def stumble(run):
        try:
            int(VALUE)
        except ValueError as error:
            raise KeyError(VALUE) from error

    run = console.deliver("20260105", row("a"), org="a")
    job = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
    monkeypatch.setitem(kinds._known, job.kind, replace(kinds.of(job), preview=stumble))
    return job


def test_a_worker_raises_the_type_and_place_only(failing, caplog):
    with pytest.raises(work.DefectError, match=r"^KeyError at flows/test_defects.py:\d+ stumble < ") as raised:
        work.answer(str(failing.pk))
    error = raised.value
    kept = "".join(traceback.format_exception(error)) + caplog.text
    assert "Aroha" not in kept and "1980" not in kept
    assert error.__context__ is None and error.__cause__ is None
    assert f"Job {failing.pk} stopped at KeyError at flows/test_defects.py" in caplog.text
    failing.refresh_from_db()
    assert failing.state == "failed" and "unforeseen KeyError" in failing.error and "Aroha" not in failing.error


def test_what_the_queue_is_handed_to_keep_holds_no_value(failing, monkeypatch):
    """By the loop of the queue's own worker process, which ends at a message that says stop."""
    monkeypatch.setattr("django_q.worker.close_old_django_connections", lambda: None)
    tasks: Queue[Any] = Queue()
    results: Queue[Any] = Queue()
    tasks.put({"id": "1", "name": "n", "func": "jobs.work.answer", "args": (str(failing.pk),), "kwargs": {}})
    tasks.put("STOP")
    worker(tasks, results, Value("f", -1))
    kept = results.get(timeout=10)
    assert not kept["success"] and "KeyError at flows/test_defects.py" in kept["result"]
    assert "Aroha" not in str(kept) and "1980" not in str(kept)
