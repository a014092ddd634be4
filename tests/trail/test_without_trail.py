"""No trail, no act: where the console's role may not add events, nothing that changes anything is done."""

from collections.abc import Callable, Iterator
from datetime import time
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from access import rights
from approvals import gate
from approvals.models import Request
from approvals.policy import Policy, Stage
from audit.models import Event
from jobs import submission, work
from jobs.models import Job
from reprocessing import acts, askers, blackouts, requests
from reprocessing.asking_models import Blackout, Schedule
from reprocessing.planning import Options
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")

DUMMIES: dict[str, Any] = {
    "load_run_id": uuid4(),
    "job_id": uuid4(),
    "extract": "Visits",
    "kind": "schedule",
    "pk": 1,
    "breaker_id": 1,
    "file": 1,
    "set_id": uuid4(),
    "hold_id": 1,
    "number": 1,
    "key": "else",
    "table": "visits",
    "record_no": 1,
    "rest": "else/",
}


@pytest.fixture
def without_trail() -> Iterator[Callable[[], None]]:
    """Take the right to add events from the role of this connection, when called."""
    role = f"web_{uuid4().hex[:8]}"

    def take() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {role}")
            cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
            cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
            cursor.execute(f"REVOKE INSERT ON audit_event FROM {role}")
            cursor.execute(f"SET LOCAL ROLE {role}")

    yield take


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the console, but for the sessions."""
    held = {}
    with connection.cursor() as cursor:
        for table in sorted(set(connection.introspection.table_names(cursor)) - {"django_session"}):
            cursor.execute(f"SELECT * FROM {table} t ORDER BY t")
            held[table] = cursor.fetchall()
    return held


def changing() -> list[Any]:
    """Every route that takes a POST."""
    found = []
    for pattern in get_resolver().url_patterns:
        assert isinstance(pattern, URLPattern) and pattern.name
        path = reverse(pattern.name, kwargs={name: DUMMIES[name] for name in pattern.pattern.converters})
        found.append(pytest.param(path, id=pattern.name))
    return found


@pytest.mark.parametrize("path", changing())
def test_every_route_answers_503_to_a_post_and_changes_nothing(console: House, people, without_trail, path):
    client = Client()
    client.force_login(people["administrator"])
    without_trail()
    before = everything()
    answer = client.post(path)
    assert answer.status_code == 503
    assert "trail cannot be written" in answer.content.decode()
    assert everything() == before


def test_pages_can_still_be_read(console: House, people, without_trail):
    client = Client()
    client.force_login(people["administrator"])
    without_trail()
    for path in ("/runs/", "/jobs/", "/approvals/", "/audit/"):
        assert client.get(path).status_code == 200, path


@pytest.fixture
def job(console: House, people, settings) -> Job:
    run = console.deliver("20260105", row("1"), row("2"))
    console.write("20260105", row("1", fee="11"), row("2"))
    asked = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="a rule", actor=people["operator"])
    return Job.objects.get(pk=asked.pk)


def _waiting(job: Job) -> Request:
    work.run(job.pk)
    Job.objects.filter(pk=job.pk).update(state=Job.State.AWAITING)
    job.refresh_from_db()
    digest, until = job.plan.digest, timezone.now() + gate.VALID_FOR
    policy = Policy("a rule", 1, ("a test",), (Stage(("reviewer",)),)).as_json()
    return Request.objects.create(job=job, digest=digest, why=["a test"], policy=policy, expires_at=until)


Acts = dict[str, Callable[[Job, Any, dict[str, User], str], object]]
ACTS: Acts = {
    "ask": lambda job, ready, people, url: requests.ask_reprocess(
        url, ready.others, Options(), reason="x", actor=people["operator"]
    ),
    "cancel": lambda job, ready, people, url: submission.cancel(job, people["operator"]),
    "approve": lambda job, ready, people, url: gate.decide(
        ready.request, people["reviewer"], approve=True, digest=job.plan.digest, reason=""
    ),
    "reject": lambda job, ready, people, url: gate.decide(
        ready.request, people["reviewer"], approve=False, digest=job.plan.digest, reason="no"
    ),
    "release": lambda job, ready, people, url: acts.release(url, ready.files, reason="x", actor=people["operator"]),
    "pause": lambda job, ready, people, url: askers.pause(ready.schedule, people["ops"], reason="x"),
    "delete": lambda job, ready, people, url: askers.delete(ready.schedule, people["ops"], reason="x"),
    "blackout": lambda job, ready, people, url: blackouts.remove(ready.window, people["ops"]),
    "refused decision": lambda job, ready, people, url: gate.decide(
        ready.request, people["reviewer"], approve=True, digest="another", reason=""
    ),
}


class Ready:
    """What the acts are about."""

    def __init__(self, console: House, job: Job, people: dict[str, User]) -> None:
        self.request = _waiting(job)
        self.others = [console.deliver("20260112", row("3"))]
        self.files = [
            number for (number,) in console.connection.execute("SELECT load_run_file_id FROM etl.load_run_files")
        ]
        self.schedule = Schedule.objects.create(
            name="nightly", expression="0 3 * * *", zone="UTC", owner=people["operator"], until=timezone.now()
        )
        self.window = Blackout.objects.create(weekdays=[0], begins=time(1), ends=time(2), zone="UTC", reason="x")
        console.connection.execute(
            "INSERT INTO restage.failed_tries (load_run_file_id, job_id, reason) VALUES (%s, gen_random_uuid(), 'x')",
            [self.files[0]],
        )


@pytest.mark.parametrize("name", ACTS)
def test_every_act_is_undone_with_its_event(console: House, people, job, without_trail, settings, name):
    """Also one that no page stands before: it fails with the event that it cannot write."""
    ready = Ready(console, job, people)
    rights.give(people["operator"], ["operator"])
    without_trail()
    before, warehouse = everything(), _tries(console)
    with pytest.raises(ProgrammingError, match="audit_event"), transaction.atomic():
        ACTS[name](job, ready, people, settings.WAREHOUSE_URL)
    assert everything() == before
    assert _tries(console) == warehouse
    assert Event.objects.exists()


def _tries(console: House) -> list[tuple[Any, ...]]:
    return console.connection.execute("TABLE restage.failed_tries").fetchall()
