"""From an act to the reader: requests reach who may decide, ends reach who asked, by inbox, mail and webhook."""

import email
import email.policy
import json
import re
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from approvals import gate
from audit.models import Event
from audit.transitions import record
from jobs import actors
from jobs.models import Job, Plan
from notifications import channels, dispatch
from notifications.models import Entry, Message, Occurrence
from reprocessing import requests
from reprocessing.planning import Options
from tests import ruling
from tests.house import House, row
from tests.notifications.conftest import told_to
from tests.tampering import unguarded
from tests.workers import finished, worked

pytestmark = pytest.mark.django_db(databases="__all__")
REASON = "the fees were rounded"


@pytest.fixture
def ask(console: House, people, settings):
    run = console.deliver("20260105", row("1"), row("2", seen="x"))
    console.write("20260105", row("1", fee="11"), row("2"))

    def asked(by: str = "operator") -> Job:
        return requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason=REASON, actor=people[by])

    return asked


@pytest.fixture
def waits(ask, monkeypatch):
    ruling.limit(0)
    return lambda by="operator": worked(ask(by))


def read(raw: str) -> tuple[str, str, str]:
    """(subject, text, our id) of a mail."""
    message = email.message_from_string(raw, policy=email.policy.default)
    body = message.get_body(("plain",))
    assert body
    return str(message["Subject"]), body.get_content(), str(message["X-Restage-Message"])


def test_a_request_reaches_who_may_decide_as_a_letter(waits, post, mail, clock, people):
    job = waits()
    clock.turn()
    deciders = ("reviewer", "reviewer2", "administrator")
    assert {to for tos, _ in mail.got for to in tos} == {f"{name}@example.org" for name in deciders}
    subject, text, sent_id = read(mail.got[0][1])
    assert subject == f"Reprocessing {str(job.pk)[:8]} waits for a decision"
    order = [
        text.index(word) for word in ("Why: ", "Needs a decision", "What: ", "Effect: ", "Way back: ", "Decide until")
    ]
    assert order == sorted(order) and REASON in text
    until = timezone.localtime(job.approval.expires_at)
    assert f"Decide until {until:%Y-%m-%d %H:%M %Z}; who asked" in text and f"{until:%Z}" != "UTC"
    assert "it may take " in text and " 0 s\n" not in text
    assert f"https://restage.example.org/jobs/{job.pk}/" in text and sent_id in text
    assert told_to(people["reviewer"]) == [subject] and told_to(people["operator"]) == []


def test_nobody_is_told_of_their_own_request(waits, post, mail, clock, people):
    waits("administrator")
    clock.turn()
    assert "administrator@example.org" not in {to for tos, _ in mail.got for to in tos}
    assert told_to(people["administrator"]) == [] and len(told_to(people["reviewer"])) == 1


def test_what_was_decided_and_what_came_of_it_reach_who_asked(waits, clock, people):
    job = waits()
    gate.decide(job.approval, people["reviewer"], approve=True, digest=job.plan.digest, reason="")
    worked(job)
    clock.turn()
    name = f"Reprocessing {str(job.pk)[:8]}"
    assert told_to(people["operator"]) == [f"{name} was approved", f"{name} succeeded"]
    assert told_to(people["viewer"]) == []


def test_a_request_that_still_waits_is_told_again(waits, clock, people):
    waits()
    clock.turn()
    clock.turn(days=2)
    clock.turn(seconds=5)
    assert [t.partition(" ")[2][9:] for t in told_to(people["reviewer"])] == [
        "waits for a decision",
        "still waits for a decision",
        "waits for long: more people may decide",
    ]
    assert Event.objects.filter(action="request reminded").count() == 1


def test_an_emergency_is_told_to_everybody_who_decides_but_who_let_it_through(waits, clock, people):
    job = waits()
    clock.turn()
    record(people["reviewer2"], "request emergency", job.approval)
    clock.turn()
    assert told_to(people["reviewer"])[-1].endswith("was let through in an emergency: review it")
    assert len(told_to(people["reviewer2"])) == 1 and told_to(people["operator"]) == []


def test_what_restage_asks_for_by_itself_is_told_to_who_keeps_the_schedules(ask, clock, people):
    job = ask()
    with unguarded("jobs_job"):
        Job.objects.update(requested_by=actors.restage())
    record(None, "job failed", job)
    clock.turn()
    assert len(told_to(people["ops"])) == 1 and told_to(people["operator"]) == []


def test_of_a_job_that_reads_no_files_no_records_are_told(people, clock):
    plan = Plan.objects.create(kind="drill", reason="r", preview={"records": 0, "tables": {}})
    job = Job.objects.create(plan=plan, kind="drill", requested_by=people["operator"], state="succeeded")
    record(None, "job succeeded", job)
    clock.turn()
    entry = Entry.objects.get(person=people["operator"])
    assert entry.title.endswith("succeeded") and "records" not in str(entry.content["lines"])


def test_what_is_rolled_back_tells_nobody(ask):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ask()
        record(None, "job failed", Job.objects.get())
        assert Occurrence.objects.count() == 1
        raise ZeroDivisionError
    assert Occurrence.objects.count() == 0


def test_a_webhook_gets_ids_and_counts_and_no_reason(ask, hook, http, clock, people):
    channel, secret = hook
    channels.add_routes(people["ops"], topics=["finished"], role="", channel=channel)
    job = finished(ask())
    assert clock.turn() == 1
    ((path, headers, body),) = http.got
    said = json.loads(body)
    assert path == "/hook?a=1" and said["event"] == "finished" and said["count"] == 1
    assert said["url"] == f"https://restage.example.org/jobs/{job.pk}/"
    assert any("stg.visits: 1 added, 1 changed" in line for line in said["lines"])
    assert REASON not in body.decode() and said["id"] == headers["Restage-Id"]
    assert _checked(secret, headers, body)
    assert not _checked(secret, headers, body.replace(b"1 added", b"9 added"))
    assert not _checked("another", headers, body)


def _checked(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """What the snippet of the documentation says."""
    text = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.S)
    assert code
    space: dict[str, object] = {}
    exec(code.group(1), space)  # noqa: S102  our own documentation
    return bool(space["is_genuine"](secret, headers, body))  # type: ignore[operator]


def test_ten_thousand_of_a_kind_make_one_letter(ask, hook, http, clock, people, monkeypatch):
    """A part of it here; `python -m bench.telling` has the whole."""
    monkeypatch.setattr(dispatch, "BATCH", 100)
    job = ask()
    channels.add_routes(people["ops"], topics=["failed"], role="", channel=hook[0])
    event = Event(actor_name="Restage", action="job failed", subject=f"job:{job.pk}", detail={})
    made = Event.objects.bulk_create(
        Event(actor_name=event.actor_name, action=event.action, subject=event.subject, detail={}) for _ in range(250)
    )
    Occurrence.objects.bulk_create(Occurrence(event=found) for found in made)
    clock.turn()
    clock.turn(seconds=5)
    assert [json.loads(body)["count"] for _path, _headers, body in http.got] == [250]
    assert json.loads(http.got[0][2])["title"] == "Reprocessing: 250 jobs failed"
    assert [entry.count for entry in Entry.objects.filter(person=people["operator"])] == [250]
    Occurrence.objects.bulk_create(Occurrence(event=found) for found in made[:7])
    clock.turn(seconds=5)
    assert len(http.got) == 1, "one message per key and window"
    clock.turn(minutes=16)
    assert json.loads(http.got[1][2])["count"] == 7 and Message.objects.count() == 2
