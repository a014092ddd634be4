"""Sending: tried again, given up, sent anew with the same id; hosts that the console must not speak to."""

import ipaddress
import json
import logging
import threading
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest
from apprise.plugins.slack import NotifySlack
from django.db import connection

from audit.models import Event
from audit.transitions import write
from jobs import upkeep as clock_of_workers
from notifications import (
    backoff,
    channels,
    dispatch,
    hosts,
    sending,
    undelivered,
    upkeep,
    vault,
    webhook,
)
from notifications.delivery import UndeliveredError
from notifications.letters import Letter
from notifications.models import Attempt, Channel, Entry, Message
from notifications.news import News, Source
from notifications.webhook import Hook
from tests.notifications.conftest import told_to

pytestmark = pytest.mark.django_db


def news(key: str = "k", **more) -> News:
    said = {"topic": "failed", "title": "A job failed", "many": "{count} jobs failed", "path": "/jobs/1/"}
    return News(**{**said, "all_path": "/jobs/", "state": "bad", "lines": ("1 file",), **more}, key=key)


@pytest.fixture
def letter(hook, people, clock):
    """What gives a new letter to the webhook, of a key of its own."""
    channels.add_routes(people["ops"], topics=["failed"], role="", channel=hook[0])

    def made(**more) -> Message:
        key = str(uuid4())
        dispatch.post([news(key, **more)], clock.now)
        return Message.objects.get(key=key)

    return made


def test_after_a_500_it_is_tried_again_with_the_same_id(letter, http, clock):
    made = letter()
    http.answers = [500, 503]
    assert [clock.turn(), clock.turn(seconds=5), clock.turn(seconds=30), clock.turn(seconds=70)] == [0, 0, 0, 1]
    assert {headers["Restage-Id"] for _p, headers, _b in http.got} == {str(made.pk)} and len(http.got) == 3
    assert len({headers["Restage-Signature"] for _p, headers, _b in http.got}) >= 1
    made.refresh_from_db()
    assert (made.state, made.attempts, made.error) == ("sent", 3, "")
    tries = Attempt.objects.filter(message=made).order_by("id").values_list("delivered", "told")
    assert [*tries] == [(False, "It answered 500."), (False, "It answered 503."), (True, "It answered 200.")]


@pytest.mark.parametrize("status", [400, 404, 410, 301, 307])
def test_what_is_refused_for_good_is_given_up_at_once(letter, http, clock, status):
    made = letter()
    http.answers = [status]
    clock.turn()
    made.refresh_from_db()
    assert (made.state, made.attempts) == ("dead", 1) and str(status) in made.error
    assert http.asked == [], "no redirect is followed"


def test_an_outage_of_an_hour_loses_nothing(letter, http, clock, hook):
    ids = {str(letter().pk) for _ in range(5)}
    http.answers = [503] * 1000
    for _turn in range(20):
        clock.turn(minutes=3)
    tried = len(http.got)
    assert tried < 5 * 12, "waits grow"
    http.answers = []
    delivered = sum(clock.turn(minutes=5) for _ in range(30))
    assert delivered == 5 and not undelivered.dead().exists()
    assert {headers["Restage-Id"] for _p, headers, _b in http.got[tried:]} == ids


def test_what_is_never_taken_is_given_up_told_and_sent_again(letter, http, clock, people):
    made = letter()
    http.answers = [500] * backoff.MOST_ATTEMPTS
    for _ in range(20):
        clock.turn(hours=1)
    assert [m.pk for m in undelivered.dead()] == [made.pk] and len(http.got) == backoff.MOST_ATTEMPTS
    assert told_to(people["ops"]) == ["A letter by Hook was not delivered"]
    assert told_to(people["operator"]) == []
    assert undelivered.resend([made.pk], people["ops"], clock.now) == 1
    clock.turn()
    made.refresh_from_db()
    assert made.state == "sent" and http.got[-1][1]["Restage-Id"] == str(made.pk)
    acts = Event.objects.filter(subject=f"message:{made.pk}").order_by("id").values_list("action", flat=True)
    assert [*acts] == ["message dead", "message waiting", "message sent"]


def test_a_sender_that_dies_after_sending_has_it_sent_again_with_the_same_id(letter, http, clock):
    made = letter()
    claimed = sending.claim(clock.now, set())
    assert claimed and sending.send(claimed)  # here it is killed: nothing is noted
    assert clock.turn(seconds=30) == 0, "another sender waits for the claim to run out"
    assert clock.turn(minutes=3) == 1
    assert [headers["Restage-Id"] for _p, headers, _b in http.got] == [str(made.pk)] * 2
    made.refresh_from_db()
    assert (made.state, made.attempts) == ("sent", 2)


def test_a_silent_channel_holds_up_no_other(letter, hook, http, clock, people):
    slow = letter()
    letter()
    other, _ = channels.add(people["ops"], name="Other", form="webhook", address=http.url)
    dispatch.post([news()], clock.now)
    Message.objects.filter(pk=slow.pk).update(due_at=clock.now - timedelta(hours=1))
    channels.add_routes(people["ops"], topics=["alert"], role="", channel=other)
    dispatch.post([news("alert", topic="alert")], clock.now)
    http.answers = [500]
    assert clock.turn() == 1
    assert [m.channel.name for m in Message.objects.filter(state="sent").select_related("channel")] == ["Other"]


def test_the_waits_grow_and_differ(people):
    first = [backoff.wait(number, Random(1)) for number in range(1, 13)]
    assert timedelta(seconds=15) <= first[0] <= timedelta(seconds=30) < first[3]
    assert first[-1] <= timedelta(hours=1) and first != [backoff.wait(n, Random(2)) for n in range(1, 13)]
    least = sum((backoff.wait(n, _Least()) for n in range(1, backoff.MOST_ATTEMPTS)), timedelta())
    assert least > timedelta(hours=2)


class _Least(Random):
    def uniform(self, a: float, b: float) -> float:
        return a


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *(("1.1.1.1", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False)),
        *(("172.16.0.1", False), ("192.168.1.1", False), ("169.254.169.254", False), ("100.64.0.1", False)),
        *(("0.0.0.0", False), ("224.0.0.1", False), ("240.0.0.1", False), ("255.255.255.255", False)),  # noqa: S104
        *(("::1", False), ("::", False), ("fe80::1", False), ("fd00:ec2::254", False), ("fec0::1", False)),
        *(("::ffff:10.0.0.1", False), ("::ffff:169.254.169.254", False), ("64:ff9b::a00:1", False)),
        *(("2002:a00:1::", False), ("2001:0:0:0:0:0:f5ff:fffe", False), ("ff02::1", False), ("::ffff:1.1.1.1", True)),
    ],
)
def test_which_addresses_are_public(address, public):
    assert hosts.is_public(ipaddress.ip_address(address)) is public


SAMPLE = Letter("id", "failed", 1, "bad", "A job failed", (), "/jobs/1/")


@pytest.mark.parametrize(
    "url",
    [
        *("https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://169.254.169.254/latest/meta-data/"),
        *("https://2130706433/", "https://0x7f.1/", "https://0/", "https://[::ffff:127.0.0.1]/", "https://127.1:8443/"),
        *("http://example.org/", "ftp://example.org/", "file:///etc/passwd", "gopher://127.0.0.1/", "https://", "x"),
        *("https://name:word@example.org/", "https://example.org:0/", "https://example.org/\r\nX: y", "//example.org"),
        "https://example.org:99999/",
    ],
)
def test_what_a_webhook_may_not_lead_to_is_refused_for_good(url, settings):
    with pytest.raises(UndeliveredError) as refused:
        webhook.post(Hook(url, "s"), SAMPLE, timestamp=1)
    assert refused.value.permanent and (len(url) < 10 or url not in str(refused.value))


def test_a_name_that_leads_elsewhere_the_second_time_is_asked_once(http, settings, monkeypatch):
    """The address that was checked is the one that is connected to."""
    settings.NOTIFY_HOSTS = frozenset({"rebinding.example"})
    asked = []

    def resolve(host, port, **more):
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "203.0.113.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", lambda host, port, *a, **more: resolve(host, port) if "rebinding" in str(host) else [(2, 1, 6, "", (host, port))])  # fmt: skip  # noqa: E501
    webhook.post(Hook(f"http://rebinding.example:{http.port}/x", "s"), SAMPLE, timestamp=1)
    assert asked == ["rebinding.example"] and http.got[0][1]["Host"] == f"rebinding.example:{http.port}"


def test_one_that_never_answers_is_cut_off(http, monkeypatch):
    monkeypatch.setattr(webhook, "MOST_SECONDS", 0.3)
    http.hang = threading.Event()
    try:
        with pytest.raises(UndeliveredError) as late:
            webhook.post(Hook(http.url, "s"), SAMPLE, timestamp=1)
    finally:
        http.hang.set()
    assert not late.value.permanent and "in time" in str(late.value)


def test_mail_that_the_server_puts_off_is_tried_again(post, mail, clock, people):
    dispatch.post([news(concerned=frozenset({people["operator"].pk}))], clock.now)
    mail.refuse = True
    assert clock.turn() == 0
    mail.refuse = False
    assert clock.turn(minutes=1) == 1 and mail.got[0][0] == ["operator@example.org"]


def test_a_person_without_an_address_is_told_in_the_inbox_alone(post, mail, clock, people):
    people["operator"].email = ""
    people["operator"].save()
    dispatch.post([news(concerned=frozenset({people["operator"].pk}))], clock.now)
    assert not Message.objects.exists() and told_to(people["operator"]) == ["A job failed"]


@pytest.mark.parametrize(
    ("form", "address"),
    [
        ("slack", "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"),
        ("slack", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"),
        ("teams", "https://prod-1.westus.logic.azure.com:443/workflows/643e69f83c8944/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu"),
        ("email", "mailtos://restage:hunter22secret@mail.example.org:587?from=restage@example.org"),
    ],
)  # fmt: skip
def test_of_an_address_nobody_sees_the_secret(people, form, address):
    assert channels.problem(form, address) == ""
    channel, _ = channels.add(people["ops"], name="New", form=form, address=address)
    seen = f"{channel.shown} {list(Event.objects.values_list('detail', flat=True))} {vars(channel)}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT c::text FROM notifications_channel c")
        seen += str(cursor.fetchall())
    for secret in ("TIiajkdnlazkcOXrIdevi7FQ", "KODuebWbDGYFr0z0eu", "hunter22secret", "643e69f83c8944"):
        assert secret not in seen
    assert vault.open_(channel.address) == address


@pytest.mark.parametrize(
    ("form", "address"),
    [
        *(
            ("email", "mailto://mail.example.org"),
            ("email", "mailto://a.example:99999?from=a@b.example"),
            ("email", "json://127.0.0.1"),
            ("email", "mailto://mail.example.org?from=a@b.example&smtp=10.0.0.5"),
            ("email", "mailto://mail.example.org?from=a@b.example&bcc=c@d.example"),
            ("email", "mailto://mail.example.org?from=a@b.example#x"),
            ("teams", "workflows://prod.logic.azure.com/WF/SIG?template=http%3A%2F%2F169.254.169.254%2F"),
            ("slack", "https://example.org/x"),
        ),
        *(("teams", "workflow://127.0.0.1:80/abc/def"), ("teams", "syslog://"), ("slack", "dbus://"), ("email", "")),
        *(("slack", "file:///tmp/x"), ("teams", "https://evil.example/logic.azure.com/"), ("slack", "a b")),
        ("teams", "https://logic.azure.com.evil.example/workflows/1/triggers/manual/paths/invoke?sig=1"),
    ],
)
def test_other_services_cannot_be_reached_by_an_address(form, address):
    assert channels.problem(form, address)


def test_slack_is_told_through_its_own_host_only(people, http, clock, monkeypatch, caplog):
    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://127.0.0.1:{http.port}/services")
    address = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    channel, _ = channels.add(people["ops"], name="Slack", form="slack", address=address)
    channels.add_routes(people["ops"], topics=["failed"], role="", channel=channel)
    dispatch.post([news()], clock.now)
    http.answers = [302]
    with caplog.at_level(logging.DEBUG):
        assert [clock.turn(), clock.turn(minutes=1)] == [0, 1]
    assert http.asked == [] and "TIiajkdnlazkcOXrIdevi7FQ" not in caplog.text
    path, _headers, body = http.got[-1]
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert "A job failed" in body.decode() and "https://restage.example.org/jobs/1/" in json.dumps(json.loads(body))


def test_a_happening_that_cannot_be_told_holds_up_no_other(people, clock, monkeypatch):
    def tell(events):
        if any(event.detail.get("bad") for event in events):
            raise ValueError("cannot be told")
        return [news(event.subject, concerned=frozenset({people["ops"].pk})) for event in events]

    monkeypatch.setattr("notifications.news._sources", [Source(frozenset({"tried"}), tell)])
    for number in range(8):
        write(None, "tried", f"test:{number}", {"bad": number == 5})
    clock.turn()
    assert Entry.objects.count() == 7 and undelivered.stuck() == 1


def test_a_retired_channel_forgets_its_address_and_sends_nothing(letter, hook, clock, people, http):
    made = letter()
    channels.retire(hook[0], people["ops"])
    clock.turn()
    made.refresh_from_db()
    assert made.state == "dead" and http.got == [] and Channel.objects.get().address == ""
    assert undelivered.resend([made.pk], people["ops"], clock.now) == 0


def test_letters_to_a_paused_channel_wait(letter, hook, clock, people, http):
    letter()
    channels.pause(hook[0], people["ops"])
    assert clock.turn() == 0 and http.got == []
    channels.resume(hook[0], people["ops"])
    assert clock.turn() == 1


def test_a_worker_does_all_of_it_by_its_clock(letter, hook, http, clock):
    letter()
    (ours,) = [regular for regular in clock_of_workers._known if regular._act is upkeep.by_the_clock]
    ours(clock.now + timedelta(seconds=5))
    assert len(http.got) == 1


def test_what_is_old_and_was_delivered_is_removed(letter, http, clock, people):
    kept, gone = letter(), letter()
    Message.objects.filter(pk=kept.pk).update(state="dead")
    Message.objects.filter(pk=gone.pk).update(state="sent")
    dispatch.post([news(concerned=frozenset({people["ops"].pk}))], clock.now)
    assert upkeep.prune(clock.now + timedelta(days=89)) == 0
    upkeep.prune(clock.now + timedelta(days=91))
    assert not Message.objects.filter(pk=gone.pk).exists() and Message.objects.filter(pk=kept.pk).exists()
    assert not Entry.objects.exists()
