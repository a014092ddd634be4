"""The pages of alerts and rules by plain requests, the back-test, and the command."""

from datetime import timedelta

import pytest

from access import rights
from audit.models import Event
from monitoring.alerts import metrics
from monitoring.alerts.judging import History, Limit, Sample, incidents, verdicts
from monitoring.alerts.models import Downtime, Rule
from monitoring.alerts.rules import back_test
from tests.alerts.conftest import rule
from tests.pages.test_hostile import ODD
from warehouse.connections import connect

pytestmark = pytest.mark.django_db(databases="__all__")
FILLED = {"name": "New", "metric": "run error rate", "side": "above", "threshold": "5", "x": "1", "y": "1",
          "recover": "1", "severity": "warning"}  # fmt: skip


@pytest.fixture
def alert(ward):
    rule("<b>Tried</b>", todo="mend it")
    ward.run(refused=50)
    (made,) = ward.look()
    return made


@pytest.mark.parametrize("role", list(rights.ROLES))
def test_everybody_sees_and_only_those_with_the_right_act(as_, alert, role):
    client = as_(role)
    handles, manages = role in ("operator", "ops", "administrator"), role in ("ops", "administrator")
    for path in ("/alerts/", alert.get_absolute_url(), "/alerts/rules/", "/alerts/?state=resolved"):
        assert client.get(path).status_code == 200, path
    for path in ("/alerts/rules/new/", alert.rule.get_absolute_url(), "/alerts/downtimes/new/"):
        assert client.get(path).status_code == (200 if manages else 403), path
    acts = [f"{alert.get_absolute_url()}{name}/" for name in ("notes", "snooze", "resolution", "acknowledgement")]
    for path in (*acts, f"/alerts/rules/{alert.rule_id}/pause/"):
        allowed = manages if "rules" in path else handles
        assert client.get(path).status_code in (403, 405)
        assert client.post(path).status_code == (302 if allowed else 403), path


def test_alerts_are_listed_by_cause_and_counted_in_the_rail(as_, alert):
    page = as_("viewer").get("/alerts/").content.decode()
    assert 'Alerts<span class="tally">1<' in page and "Extract Visits" in page
    assert "&lt;b&gt;Tried&lt;/b&gt;" in page and "<b>Tried" not in page and "50.0 %, more than 5.0 %" in page
    one = as_("viewer").get(alert.get_absolute_url()).content.decode()
    assert "mend it" in one and "opened the alert" in one and "Resolve it" not in one


def test_a_person_takes_it_on_snoozes_resolves_and_opens_it_again(as_, alert):
    client, path = as_("operator"), alert.get_absolute_url()
    assert "It is acknowledged." in client.post(f"{path}acknowledgement/", follow=True).content.decode()
    assert "Nothing was changed" in client.post(f"{path}acknowledgement/", follow=True).content.decode()
    assert "Say why it can wait" in client.post(f"{path}snooze/", {"hours": "2"}, follow=True).content.decode()
    for hours in ("0", "-1", "1e9", "nan", "x"):
        assert (
            "must be from"
            in client.post(f"{path}snooze/", {"hours": hours, "words": "w"}, follow=True).content.decode()
        )
    assert (
        "Snoozed until" in client.post(f"{path}snooze/", {"hours": "2", "words": "known"}, follow=True).content.decode()
    )
    assert "Kept." in client.post(f"{path}notes/", {"words": "<i>seen</i>"}, follow=True).content.decode()
    done = client.post(f"{path}resolution/", {"words": "reprocessed"}, follow=True).content.decode()
    assert "It is resolved." in done and "&lt;i&gt;seen" in done and "Open it again" in done
    assert "No alert" not in client.get("/alerts/?state=resolved").content.decode()
    assert "Nothing alerts" in client.get("/alerts/").content.decode()
    assert "It is reopened." in client.post(f"{path}reopening/", {"words": "not so"}, follow=True).content.decode()


def test_the_page_says_when_nobody_looks(as_, ward):
    assert "Nobody looks for alerts" in as_("viewer").get("/alerts/").content.decode()
    ward.look()
    assert "Nobody looks" not in as_("viewer").get("/alerts/").content.decode()
    ward.later(hours=-1)
    ward.look()
    assert "Nobody looks for alerts since" in as_("viewer").get("/alerts/").content.decode()


def test_a_rule_is_tried_saved_changed_paused_retired(as_, ward, people):
    for refused in (50, 0, 60):
        ward.run(begun=0.6, refused=refused)
        ward.later(minutes=10)
    client = as_("ops")
    tried = client.post("/alerts/rules/new/", {**FILLED, "try": "1"})
    assert not Rule.objects.filter(name="New").exists()
    assert (len(tried.context["tried"].incidents), tried.context["tried"].cases, tried.context["tried"].judged) == (
        2,
        2,
        3,
    )
    client.post("/alerts/rules/new/", FILLED)
    made = Rule.objects.get(name="New")
    assert (made.threshold, made.above, made.limit) == (0.05, True, Limit(0.05))
    page = client.get(made.get_absolute_url()).content.decode()
    assert 'value="5.0"' in page
    client.post(made.get_absolute_url(), {**FILLED, "name": "Hours", "metric": "run duration", "threshold": "2.5"})
    made.refresh_from_db()
    assert made.threshold == 9000
    shown = client.get("/alerts/rules/").content.decode()
    assert "Duration of a load run: more than 2 h 30 min" in shown
    for act, told in (
        ("pause", "is paused"),
        ("pause", "was paused already"),
        ("resume", "is active"),
        ("retire", "is retired"),
    ):
        assert told in client.post(f"/alerts/rules/{made.pk}/{act}/", follow=True).content.decode()
    assert client.get(made.get_absolute_url()).status_code == 404
    acts = Event.objects.filter(subject=f"rule:{made.pk}").order_by("id").values_list("action", flat=True)
    assert [*acts] == [f"alert rule {act}" for act in ("created", "changed", "paused", "active", "retired")]


WRONG = [
    ({"x": "3", "y": "2"}, "It cannot be more than it is of"),
    ({"metric": "freshness", "relative": "on"}, "no history is kept"),
    ({"metric": "queue age", "extract": "Visits"}, "not measured for an extract"),
    ({"name": "a rollback"}, "There is a rule of this name"),
    ({"metric": "nonsense"}, "Select a valid choice"),
    ({"threshold": "-1"}, "greater than or equal to 0"),
    ({"threshold": "nan"}, "Enter a number"),
    ({"y": "51"}, "less than or equal to 50"),
]


def test_a_rule_that_cannot_be_meant_comes_back(as_, ward):
    client = as_("ops")
    for given, told in WRONG:
        answer = client.post("/alerts/rules/new/", {**FILLED, **given})
        assert answer.status_code == 422 and told in answer.content.decode(), given


def test_every_metric_can_be_tried_and_looked_at(as_, ward):
    ward.run(refused=5, failed=1)
    client = as_("ops")
    for metric in metrics.METRICS:
        rule(metric.name, only=False, metric=metric.name, threshold=0)
        page = client.post("/alerts/rules/new/", {**FILLED, "metric": metric.name, "try": "1"})
        told = page.context["tried"]
        assert (told.unknown == "") == (metric.facts or metric.past is not None), metric.name
    assert {alert.rule.metric for alert in ward.look()} >= {"run duration", "run failed files", "freshness"}


def test_a_back_test_says_what_the_rule_would_have_done(ward, settings):
    """Against what really looking at each moment does."""
    for refused in (9, 0, 9, 9, 0, 0, 0, 9, 0, 0, 9, 9):
        ward.run(begun=0.6, refused=refused)
        ward.later(hours=6)
    with connect(settings.WAREHOUSE_URL, purpose="test") as connection:
        told = back_test(connection, "run error rate", Limit(0.05, x=2, y=3, recover=2), "", ward.now)
    assert [len(incident.subjects) for incident in told.incidents] == [3, 2] and told.cases == 6
    assert told.incidents[0].over is not None and told.incidents[1].over is None
    rule(threshold=0.05, x=2, y=3, recover=2)
    assert [alert.count for alert in ward.look()] == [5], "as one look sees it: both stretches"


def test_a_downtime_is_added_shown_ended(as_, ward):
    client = as_("ops")
    begins, ends = ward.now - timedelta(minutes=5), ward.now + timedelta(hours=2)
    filled = {"begins": f"{begins:%Y-%m-%dT%H:%M}", "ends": f"{ends:%Y-%m-%dT%H:%M}", "reason": "moving", "extract": ""}
    assert client.post("/alerts/downtimes/new/", {**filled, "ends": filled["begins"]}).status_code == 422
    assert client.post("/alerts/downtimes/new/", {**filled, "begins": "2020-01-01T00:00"}).status_code == 422
    client.post("/alerts/downtimes/new/", filled)
    again = client.post("/alerts/downtimes/new/", filled)
    assert (again.status_code, "This downtime is there already" in again.content.decode()) == (422, True)
    window = Downtime.objects.get()
    Downtime.objects.update(begins=begins, ends=ends)
    assert "moving" in client.get("/alerts/rules/").content.decode()
    assert "A downtime goes for everything" in client.get("/alerts/").content.decode()
    assert as_("operator").post(f"/alerts/downtimes/{window.pk}/end/").status_code == 403
    client.post(f"/alerts/downtimes/{window.pk}/end/")
    assert "A downtime goes" not in client.get("/alerts/").content.decode()


def test_the_command(told, alert):
    listed = told("alerts")
    assert [(a["id"], a["state"], a["series"], a["count"]) for a in listed["alerts"]] == [
        (alert.pk, "open", "Visits", 1)
    ]
    assert listed["looked_at"] and told("alerts", "list") == listed
    number = str(alert.pk)
    assert told("alerts", "acknowledge", number, "--as", "operator")["owner"] == "operator"
    assert "nothing was changed" in told("alerts", "acknowledge", number, "--as", "operator", code=1)["error"]
    assert "handle alerts" in told("alerts", "acknowledge", number, "--as", "viewer", code=1)["error"]
    assert told("alerts", "snooze", number, "--hours", "2", "--reason", "r", "--as", "ops")["state"] == "snoozed"
    for hours in ("0", "1e9", "nan"):
        assert (
            "30 days"
            in told("alerts", "snooze", number, "--hours", hours, "--reason", "r", "--as", "ops", code=1)["error"]
        )
    assert "Say what" in told("alerts", "resolve", number, "--reason", " ", "--as", "ops", code=1)["error"]
    assert told("alerts", "resolve", number, "--reason", "r", "--as", "ops")["state"] == "resolved"
    assert "no alert 999" in told("alerts", "resolve", "999", "--reason", "r", code=1)["error"]
    assert told("alerts")["alerts"] == []


def test_an_odd_value_in_any_field_is_answered(as_, alert):
    client = as_("administrator")
    for odd in ODD:
        for name in ("name", "metric", "threshold", "x"):
            answer = client.post("/alerts/rules/new/", {**FILLED, name: odd, "try": "1"})
            assert answer.status_code in (200, 422), (name, odd)
        every = dict.fromkeys(("begins", "ends", "reason", "extract"), odd)
        assert client.post("/alerts/downtimes/new/", every).status_code == 422
        assert client.post(f"{alert.get_absolute_url()}snooze/", {"words": odd, "hours": odd}).status_code == 302
        assert client.get("/alerts/", {"state": odd, "page": odd}).status_code == 200


def test_what_is_usual_and_what_cannot_be_told_yet(ward):
    assert History([1.0] * 9).usual() is None and History(float(n) for n in range(1, 101)).usual() == 95.0
    assert History(float(n) for n in range(5000)).usual() == 4949.0
    start = ward.now
    row = [Sample("s", f"run:{n}", start + timedelta(hours=n), float(n)) for n in range(3)]
    going = Sample("s", "run:9", start + timedelta(hours=9), 1.0, final=False)
    assert [v.bad for v in verdicts([*row, going], Limit(1))] == [False, False, True, None]
    assert [v.bad for v in verdicts(row, Limit(1, above=False))] == [True, False, False]
    assert [v.bad for v in verdicts([going], Limit(5, above=False))] == [None], "it still grows"
    assert incidents(verdicts(row, Limit(1, relative=True)), Limit(1, relative=True)) == []
