"""Open, acknowledged, snoozed, resolved, reopened; storms, flapping, downtimes."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from audit.models import Event
from audit.transitions import StateChangedError
from monitoring.alerts import downtimes, evaluation, lifecycle, rules
from monitoring.alerts.lifecycle import NeedsWordsError
from monitoring.alerts.models import Alert, Downtime, Finding, Heartbeat, Rule
from notifications import dispatch
from notifications.models import Entry
from reprocessing.models import Breaker
from tests.alerts.conftest import rule

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def alert(ward):
    rule()
    ward.run(refused=50)
    (made,) = ward.look()
    return made


def events(alert: Alert) -> list[str]:
    found = Event.objects.filter(subject=f"alert:{alert.pk}").order_by("id")
    return [event.action.removeprefix("alert ") for event in found]


def test_it_is_taken_on_noted_and_resolved_with_words(ward, alert, people):
    lifecycle.acknowledge(alert, people["operator"])
    assert (alert.state, alert.owner) == ("acknowledged", people["operator"])
    with pytest.raises(StateChangedError):
        lifecycle.acknowledge(alert, people["ops"])
    lifecycle.note(alert, people["ops"], text="the source sends dates of another form")
    with pytest.raises(NeedsWordsError):
        lifecycle.resolve(alert, people["ops"], reason=" ", now=ward.now)
    lifecycle.resolve(alert, people["ops"], reason="reprocessed", now=ward.now)
    assert ward.look(minutes=1) == [] and alert.notes.count() == 1
    assert events(alert) == ["opened", "acknowledged", "note", "resolved"]


@pytest.mark.parametrize("act", ["acknowledge", "snooze", "resolve", "note"])
def test_who_has_not_the_right_changes_nothing(ward, alert, people, act):
    acts = {
        "acknowledge": lambda who: lifecycle.acknowledge(alert, who),
        "snooze": lambda who: lifecycle.snooze(
            alert, who, until=ward.now + timedelta(hours=1), reason="x", now=ward.now
        ),
        "resolve": lambda who: lifecycle.resolve(alert, who, reason="x", now=ward.now),
        "note": lambda who: lifecycle.note(alert, who, text="x"),
    }
    with pytest.raises(PermissionDenied):
        acts[act](people["viewer"])
    assert events(alert) == ["opened"]


def test_a_snoozed_alert_is_silent_and_wakes(ward, alert, people):
    for until in (ward.now, ward.now + timedelta(days=31)):
        with pytest.raises(NeedsWordsError):
            lifecycle.snooze(alert, people["ops"], until=until, reason="x", now=ward.now)
    lifecycle.snooze(alert, people["ops"], until=ward.now + timedelta(hours=2), reason="known", now=ward.now)
    ward.run(refused=60)
    ward.look(minutes=30)
    alert.refresh_from_db()
    assert (alert.state, alert.count) == ("snoozed", 2)
    ward.look(hours=2)
    alert.refresh_from_db()
    assert (alert.state, alert.snoozed_until) == ("reopened", None)
    assert events(alert) == ["opened", "snoozed", "reopened"]


def test_what_comes_back_within_a_day_is_the_same_alert(ward, alert):
    ward.later(hours=1)
    ward.run(begun=0.6)
    assert ward.look() == []
    ward.later(hours=3)
    ward.run(refused=99, begun=0.6)
    assert [a.pk for a in ward.look()] == [alert.pk]
    alert.refresh_from_db()
    assert (alert.state, alert.count) == ("reopened", 2)
    ward.later(hours=1)
    ward.run(begun=0.6)
    ward.look()
    ward.later(days=2)
    ward.run(refused=99, begun=0.6)
    assert [a.pk for a in ward.look()] != [alert.pk] and Alert.objects.count() == 2


def test_a_person_opens_it_again_but_not_beside_a_newer_one(ward, alert, people):
    lifecycle.resolve(alert, people["ops"], reason="done", now=ward.now)
    lifecycle.reopen(alert, people["operator"], reason="it was not", now=ward.now)
    assert alert.state == "reopened"
    lifecycle.resolve(alert, people["ops"], reason="done", now=ward.now)
    Alert.objects.filter(pk=alert.pk).update(resolved_at=ward.now - timedelta(days=3))
    ward.run(refused=70)
    ward.look(minutes=1)
    with pytest.raises(StateChangedError):
        lifecycle.reopen(alert, people["operator"], reason="x", now=ward.now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Alert.objects.filter(pk=alert.pk).update(state="open")


def test_a_storm_is_one_alert_and_one_message(ward, people):
    """A part of it here; `python -m bench.telling` has the whole."""
    rule(every=True)
    for _ in range(120):
        ward.run(refused=50)
    (alert,) = ward.look()
    dispatch.dispatch(ward.now)
    assert (alert.count, Finding.objects.count(), len(alert.cases)) == (120, 120, 5)
    assert [entry.count for entry in Entry.objects.filter(person=people["ops"])] == [1]
    for _ in range(5):
        ward.run(refused=50)
        ward.look(seconds=30)
    dispatch.dispatch(ward.now)
    assert Entry.objects.filter(person=people["ops"]).count() == 1
    assert events(alert) == ["opened", *["again"] * 5]


def test_alerts_of_several_rules_about_one_extract_go_together(ward, people):
    rule()
    rule("Files", only=False, metric="run failed files", threshold=0)
    ward.run(refused=50, failed=2)
    first, second = ward.look()
    assert first.cause == second.cause == "extract Visits"
    dispatch.dispatch(ward.now)
    assert [e.title for e in Entry.objects.filter(person=people["ops"])] == ["2 alerts about extract Visits"]


def test_what_comes_and_goes_is_said_to_and_then_told_no_more(ward, people):
    rule()
    for _ in range(8):
        ward.run(begun=0.6, refused=50)
        ward.look(minutes=1)
        ward.run(begun=0.6)
        ward.look(minutes=1)
    alert = Alert.objects.get()
    assert lifecycle.is_flapping(alert, ward.now) and alert.count == 8
    dispatch.dispatch(ward.now)
    told = sum(entry.count for entry in Entry.objects.filter(person=people["ops"]))
    assert told < 7, "16 changes"
    assert not lifecycle.is_flapping(alert, ward.now + timedelta(hours=7))


def test_in_a_downtime_nothing_is_told_nor_afterwards(ward, people):
    rule()
    window = Downtime(extract="Visits", begins=ward.now, ends=ward.now + timedelta(hours=2), reason="moving")
    with pytest.raises(PermissionDenied):
        downtimes.add(window, people["operator"])
    downtimes.add(window, people["ops"])
    ward.run(refused=50)
    ward.run("Calls", refused=50)
    assert [a.series for a in ward.look(minutes=1)] == ["Calls"]
    ward.look(hours=3)
    assert Alert.objects.count() == 1 and Finding.objects.filter(alert=None).count() == 1
    ward.run(refused=50)
    assert len(ward.look()) == 2


def test_a_level_alerts_after_x_looks_and_recovers_after_some(ward):
    rule(metric="breaker", threshold=0, x=2, y=3, recover=2)
    breaker = Breaker.objects.create(extract="Visits", state="open")
    assert ward.look() == []
    assert len(ward.look(seconds=30)) == 1
    breaker.state = "closed"
    breaker.save()
    assert len(ward.look(seconds=30)) == 1
    assert ward.look(seconds=30) == []


def test_a_level_that_a_person_has_resolved_must_be_good_once_before_it_alerts_again(ward, people):
    rule(metric="breaker", threshold=0)
    breaker = Breaker.objects.create(extract="Visits", state="open")
    (alert,) = ward.look()
    lifecycle.resolve(alert, people["ops"], reason="known", now=ward.now)
    assert ward.look(seconds=30) == []
    Breaker.objects.update(state="closed")
    ward.look(seconds=30)
    Breaker.objects.filter(pk=breaker.pk).update(state="open")
    assert [a.pk for a in ward.look(seconds=30)] == [alert.pk]
    Breaker.objects.all().delete()
    assert ward.look(seconds=30) == [], "what is not there any more is not bad any more"


def test_nothing_of_an_extract_is_an_alert(ward):
    rule(metric="freshness", threshold=36 * 3600.0)
    ward.run(begun=30)
    ward.run("Calls", begun=1)
    assert ward.look() == []
    (alert,) = ward.look(hours=8)
    assert alert.series == "Visits" and alert.told.startswith("37 h 30 min, more than 36 h")
    ward.run(begun=0.6)
    assert ward.look(minutes=1) == []


def test_against_its_own_history(ward):
    rule(metric="run duration", threshold=2, relative=True)
    for day in range(12):
        ward.run(begun=24 * (day + 2), took=1)
        ward.run("Calls", begun=24 * (day + 2), took=0.2)
    ward.run(begun=3, took=1.9)
    going = ward.run("Calls", begun=0.5, took=None)
    (alert,) = ward.look()
    assert alert.series == "Calls" and alert.cases[0]["subject"].startswith(f"run:{going}")
    assert "2 × what is usual" in alert.told and "30 min, more than 24 min" in alert.told


def test_a_new_or_resumed_rule_tells_only_of_what_comes(ward, people):
    ward.run(refused=50)
    Rule.objects.update(state="paused")
    made = Rule(name="New", metric="run error rate", threshold=0.05)
    rules.save(made, people["ops"], now=ward.now)
    assert ward.look(minutes=1) == []
    rules.pause(made, people["ops"])
    ward.run(begun=0.6, took=0.6, refused=50)
    ward.later(minutes=1)
    rules.resume(made, people["ops"], now=ward.now)
    assert ward.look(minutes=1) == []
    ward.run(begun=0.6, took=0.6, refused=50)
    assert len(ward.look()) == 1
    rules.retire(made, people["ops"], now=ward.now)
    assert ward.look() == [] and Alert.objects.get().state == "resolved"


def test_two_who_look_at_once_do_it_once(ward, alert):
    ward.run("Calls", refused=50)
    made = Rule.objects.get(name="Tried")
    Heartbeat.objects.update(problem="")
    assert evaluation.apply([], ward.now) is True
    assert made.alerts.count() == 1


def test_a_warehouse_that_is_away_is_said(ward, settings):
    settings.WAREHOUSE_URL = "postgresql://127.0.0.1:1/nowhere"
    with pytest.raises(Exception, match="does not answer"):
        evaluation.by_the_clock(ward.now)
    assert "does not answer" in Heartbeat.objects.get().problem
