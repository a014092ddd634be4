"""OpenLineage events: what jobs send, that the schema wants it so, that nothing is lost and nothing hurts a job."""

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Max
from django.utils import timezone

from audit import database
from audit.models import Event
from config import environment
from jobs import submission, work
from jobs.models import Job
from lineage import emitting
from lineage.models import Cursor
from lineage.openlineage_places import NotSentError, Place
from reprocessing import requests
from reprocessing.planning import Options
from tests.house import House, row
from tests.lineage.spec import complaints
from tests.stack import eventually

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)
SECRET = "kōwhai"


class Sink:
    """A lineage service on loopback. `answer` is the status that it gives."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer, self.keys = 201, set[str | None]()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.keys.add(self.headers["Authorization"])
                if sink.answer < 300:
                    sink.events.append(said)
                self.send_response(sink.answer)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v1/lineage"
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True)
        self.thread.start()


def turn(now: datetime | None = None) -> None:
    """A turn of the clock, once nothing on the tests' server can be written behind the newest event any more."""
    newest = Event.objects.aggregate(tx=Max("tx"))["tx"] or 0
    eventually(lambda: database.horizon().open_from > newest)
    emitting.by_the_clock(now or timezone.now())


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def file(console: House, settings, tmp_path: Path) -> Path:
    settings.OPENLINEAGE = [str(tmp_path / "events" / "lineage.ndjson")]
    turn()
    return tmp_path / "events" / "lineage.ndjson"


def sent(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def reprocess(console: House, people, settings, *, works: bool = True) -> Job:
    run = console.deliver("20260105", row("1", note=SECRET), row("2"), row("3"))
    console.write("20260105", row("1", note=SECRET), row("2", fee="12"), row("4"))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason=SECRET, actor=people["operator"])
    work.run(asked.pk)
    if works:
        work.run(asked.pk)
    asked.refresh_from_db()
    return asked


def test_a_job_and_its_load_run_are_told_as_the_schema_wants(console, people, settings, file: Path, sink: Sink):
    settings.OPENLINEAGE += [sink.url]
    settings.OPENLINEAGE_KEY = "of-this-service"
    turn()
    job = reprocess(console, people, settings)
    turn()
    events = sent(file)
    assert events == sink.events and sink.keys == {"Bearer of-this-service"}
    assert [problem for event in events for problem in complaints(event)] == []
    (made,) = job.outcome["load_runs"].values()  # type: ignore[index]
    assert [(e["eventType"], e["run"]["runId"]) for e in events] == [
        ("START", str(job.pk)),
        ("START", made),
        ("COMPLETE", made),
        ("COMPLETE", str(job.pk)),
    ]
    _start, _below, loaded, end = events
    assert loaded["run"]["facets"]["parent"]["run"]["runId"] == str(job.pk)
    assert [o["outputFacets"]["outputStatistics"]["rowCount"] for o in loaded["outputs"]] == [3]
    assert loaded["inputs"][0]["name"].endswith("a_visits_20260105.csv")
    (staged,) = end["outputs"]
    assert staged["name"].endswith(".stg.visits")
    assert staged["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert staged["facets"]["lifecycleStateChange"]["lifecycleStateChange"] == "OVERWRITE"
    fee = staged["facets"]["columnLineage"]["fields"]["fee"]["inputFields"][0]
    assert fee["name"].endswith(".raw.visits") and fee["field"] == "fee"
    assert fee["transformations"][0]["subtype"] == "TRANSFORMATION"
    assert end["job"]["facets"]["ownership"]["owners"] == [{"name": "user:operator", "type": "REQUESTER"}]
    assert SECRET not in json.dumps(events, ensure_ascii=False) and "password" not in json.dumps(events)
    turn()
    assert len(sent(file)) == 4


def test_a_service_that_is_away_loses_nothing_and_hurts_nobody(console, people, settings, file: Path, sink: Sink, as_):
    settings.OPENLINEAGE += [sink.url]
    turn()
    sink.answer = 503
    job, now = reprocess(console, people, settings), timezone.now()
    assert job.state == "succeeded"
    with pytest.raises(NotSentError, match=r"wait for http://127\.0\.0\.1"):
        turn(now)
    assert len(sent(file)) == 4, "one place does not wait for the other"
    cursor = Cursor.objects.get(place=Place(sink.url).id)
    assert (cursor.failures, cursor.error, cursor.failing_since) == (1, "It answers 503.", now)
    page = as_("viewer").get("/lineage/").content.decode()
    assert "It answers 503." in page and str(file) in page
    sink.answer = 201
    turn(now + timedelta(seconds=1))
    assert not sink.events, "it is left alone for a while"
    turn(now + timedelta(seconds=11))
    assert sink.events == sent(file)
    cursor.refresh_from_db()
    assert (cursor.failures, cursor.error, cursor.failing_since, cursor.sent) == (0, "", None, 4)


def test_what_a_service_refuses_for_good_does_not_stop_the_rest(console, people, settings, sink: Sink):
    settings.OPENLINEAGE = [sink.url]
    turn()
    sink.answer = 422
    reprocess(console, people, settings)
    turn()
    cursor = Cursor.objects.get()
    assert (cursor.sent, cursor.refused, cursor.error) == (0, 4, "")


def test_a_death_between_sending_and_noting_sends_the_same_again(console, people, settings, file: Path, monkeypatch):
    reprocess(console, people, settings)

    def die(*args: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(emitting, "_moved", die)
        with pytest.raises(KeyboardInterrupt):
            turn()
    first, now = sent(file), timezone.now()
    assert len(first) == 1
    turn(now)
    assert sent(file) == first, "the dead worker's claim holds for a while"
    turn(now + emitting.MINE)
    assert sent(file)[1:2] == first and len(sent(file)) == 5


def test_how_jobs_end_is_told_and_what_never_began_is_not(console, people, settings, file: Path):
    job = reprocess(console, people, settings, works=False)
    assert job.state == "queued"
    submission.cancel(job, people["operator"])
    asked = requests.ask_reprocess(
        settings.WAREHOUSE_URL, job.about, Options(), reason="again", actor=people["operator"]
    )
    work.run(asked.pk)
    console.connection.execute("UPDATE stg.visits SET fee = 99 WHERE visit_id = '1'")
    work.run(asked.pk)
    asked.refresh_from_db()
    assert asked.state == "failed"
    turn()
    events = sent(file)
    assert [(e["eventType"], e["run"]["runId"]) for e in events] == [("START", str(asked.pk)), ("FAIL", str(asked.pk))]
    assert events[1]["run"]["facets"]["errorMessage"]["message"] == asked.error
    assert [problem for event in events for problem in complaints(event)] == []


def test_the_validator_itself_finds_what_is_wrong(console, people, settings, file: Path):
    reprocess(console, people, settings)
    turn()
    event = sent(file)[-1]
    for break_it in (
        lambda e: e.pop("eventTime"),
        lambda e: e.update(eventType="DONE"),
        lambda e: e["run"].update(runId="1"),
        lambda e: e["job"].pop("namespace"),
        lambda e: e["outputs"][0]["outputFacets"]["outputStatistics"].update(rowCount="2"),
        lambda e: e["outputs"][0]["facets"]["columnLineage"]["fields"]["fee"]["inputFields"][0].pop("field"),
        lambda e: e["outputs"][0]["facets"]["lifecycleStateChange"].update(lifecycleStateChange="GONE"),
        lambda e: e["run"]["facets"]["processing_engine"].pop("_producer"),
        lambda e: e["job"]["facets"]["jobType"].update(_schemaURL="https://elsewhere.example/x"),
        lambda e: e.update(schemaURL="https://elsewhere.example/x"),
    ):
        broken = json.loads(json.dumps(event))
        break_it(broken)
        assert complaints(broken)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("", True),
        ("/var/log/lineage.ndjson http://marquez.example:5000", True),
        ("file:///var/log/lineage.ndjson", True),
        ("lineage.ndjson", False),
        ("/var/log/", False),
        ("http://", False),
        ("ftp://lineage.example/x", False),
    ],
)
def test_a_place_that_cannot_be_meant_is_told_at_the_start(value: str, fits: bool):
    assert bool(environment.complaints({"RESTAGE_OPENLINEAGE": value})) is not fits


def test_an_address_is_shown_without_its_password():
    assert Place("https://name:secret@lineage.example:8443/in?key=1").shown == "https://lineage.example:8443/in"
