"""The pages and the command of the approval rules, by plain requests; and the whole story of a change."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from access import rights
from approvals import rule_versions
from approvals.confirming import MOST_WRONG
from approvals.models import Request, RuleVersion
from approvals.rule_terms import Range, Rule
from audit.models import Event
from jobs import work
from jobs.models import Job
from reprocessing import requests
from reprocessing.planning import Options
from tests.approvals.conftest import PASSWORD
from tests.approvals.past import asked
from tests.house import House, row
from tests.ruling import NONE, put, rule

pytestmark = pytest.mark.django_db(databases="__all__")
NOW = datetime(2026, 1, 5, tzinfo=UTC)
ALL = "/approvals/rules/"
DRAFT = f"{ALL}draft/"
MINIMAL = {"name": "Any", "act": "ask", "order": "sequence", "approvals_1": "1", "groups_1": ["reviewer"]}
FREE = {"name": "Tiny", "act": "no approval", "order": "sequence", "records_up_to": "5"}


@pytest.fixture
def draft(console, people) -> RuleVersion:
    return rule_versions.begin(people["reviewer"], NOW)


def text(client: Client, path: str) -> str:
    return " ".join(client.get(path).content.decode().split())


def posted(client: Client, path: str, **fields: Any) -> str:
    return " ".join(client.post(path, fields, follow=True).content.decode().split())


def drafted() -> tuple[Rule, ...]:
    found = rule_versions.open_one()
    assert found
    return found.parsed


def names() -> list[str]:
    return [each.name for each in drafted()]


@pytest.mark.parametrize("role", list(rights.ROLES))
def test_everybody_reads_the_rules_and_those_with_the_right_change_them(as_, draft, role):
    client, manages = as_(role), role in ("reviewer", "administrator")
    for path in (ALL, DRAFT, f"{ALL}versions/1/"):
        assert client.get(path).status_code == 200
    for path in ("new/", "long/"):
        assert client.get(DRAFT + path).status_code == (200 if manages else 403)
    assert ("Add a rule" in text(client, DRAFT)) == manages
    for path in ("begin/", "order/", "drop/", "proposal/", "proposal/return/", "decision/", "long/removal/"):
        assert client.get(DRAFT + path).status_code == 405
        assert (client.post(DRAFT + path).status_code == 403) != manages
    assert Event.objects.filter(action="attempt refused").count() == (0 if manages else 9)


def test_the_rules_in_force_in_words(as_, console):
    page = text(as_("viewer"), ALL)
    for told in (
        "More than 100,000 records",
        "A duration of more than 2 h",
        "One approval by reviewer or administrator",
    ):
        assert told in page
    assert "Change the rules" not in page and "What no rule waives" in page
    assert as_("viewer").get(DRAFT).headers["Location"] == ALL
    assert as_("viewer").get(f"{ALL}versions/7/").status_code == 404


def test_rules_that_cannot_be_trusted_are_told_on_the_page(as_, console):
    put([{"odd": 1}])
    page = text(as_("administrator"), ALL)
    assert "cannot be read, so every job needs an approval" in page
    posted(as_("administrator"), f"{DRAFT}begin/")
    assert names()[-1] == "Everything else"


def test_a_rule_is_added_changed_moved_removed(as_, draft):
    client = as_("administrator")
    posted(client, f"{DRAFT}new/", **FREE, revision=1)
    assert names()[-2:] == ["Tiny", "Everything else"]
    key = next(each.key for each in drafted() if each.name == "Tiny")
    shown = client.get(f"{DRAFT}{key}/").content.decode()
    assert 'value="5"' in shown and re.search(r'value="no approval"[^>]* checked', shown)
    posted(client, f"{DRAFT}{key}/", **{**FREE, "name": "Small", "records_up_to": "9"}, revision=2)
    posted(client, f"{DRAFT}order/", move=f"{key} up", revision=3)
    assert names() == ["Destructive", "Many records", "Long", "Small", "Many records in many jobs", "Everything else"]
    posted(client, f"{DRAFT}order/", order=f"{key} many-records destructive long many-jobs else", revision=4)
    assert names()[:2] == ["Small", "Many records"]
    posted(client, f"{DRAFT}long/removal/", revision=5)
    page = text(client, DRAFT)
    assert "Long" not in names() and "No more than 9 records" in page
    for told in ("Added", "Moved", "Removed"):
        assert f'<span class="muted">{told}</span>' in page


def test_what_somebody_else_did_meanwhile_is_not_overwritten(as_, draft):
    client = as_("administrator")
    posted(client, f"{DRAFT}long/removal/", revision=1)
    assert "changed the draft meanwhile" in posted(client, f"{DRAFT}destructive/removal/", revision=1)
    answer = client.post(f"{DRAFT}new/", {**MINIMAL, "revision": "1"})
    assert answer.status_code == 422 and "changed the draft meanwhile" in answer.content.decode()
    assert len(names()) == 4
    assert client.post(f"{DRAFT}long/", MINIMAL).status_code == 404


def test_an_odd_revision_or_move_does_nothing(as_, draft):
    client = as_("administrator")
    for odd in ("", "x", "-1", "９", "9" * 30):
        for path, fields in (("order/", {"move": "long up"}), ("order/", {"order": "long x"}), ("long/removal/", {})):
            assert client.post(f"{DRAFT}{path}", {**fields, "revision": odd}).status_code == 302
    assert names() == [each.name for each in rule_versions.in_force().rules]


WRONG: list[tuple[str, Any, str]] = [
    ("name", "", "This field is required"),
    ("records_over", "-1", "greater than or equal to 0"),
    ("records_over", "many", "whole number"),
    ("records_up_to", "5", "Nothing is more than the one"),
    ("sum_over", "5", "A sum needs both"),
    ("sum_hours", "0", "greater than or equal to 1"),
    ("kinds", "nonsense", "Select a valid choice"),
    ("tables", "pg_class", "Select a valid choice"),
    ("roles", "root", "Select a valid choice"),
    ("environments", "Prod!", "no word in small letters"),
    ("weekdays", "9", "Select a valid choice"),
    ("begins", "25:00", "valid time"),
    ("weekdays", "1", "A time window needs"),
    ("zone", "Mars/Olympus", "no such time zone"),
    ("act", "dance", "Select a valid choice"),
    ("act", "refuse", "Say why it is refused"),
    ("approvals_1", "", "Say how many approvals"),
    ("approvals_1", "6", "less than or equal to 5"),
    ("groups_1", [], "Say whose approvals count"),
    ("groups_1", "operator", "Select a valid choice"),
    ("approvals_2", "1", "Say whose approvals count"),
]


def test_what_cannot_be_meant_comes_back_with_its_reason(as_, draft):
    client = as_("reviewer")
    for field, value, told in WRONG:
        answer = client.post(f"{DRAFT}new/", {**MINIMAL, "records_over": "7", field: value, "revision": "1"})
        assert answer.status_code == 422 and told in answer.content.decode(), (field, value)
    assert len(names()) == 5


def test_every_field_of_a_rule_is_kept_and_shown_again(as_, draft):
    client = as_("administrator")
    filled = {
        **MINIMAL,
        "name": "All of it",
        "records_over": "7",
        "records_up_to": "9",
        "minutes_over": "1.5",
        "minutes_up_to": "120",
        "sum_over": "0",
        "sum_hours": "24",
        "destructive": "no",
        "kinds": ["reprocess", "restore"],
        "tables": ["visits"],
        "extracts": ["Visits", "Calls"],
        "roles": ["operator"],
        "environments": "test, production",
        "weekdays": ["0", "4"],
        "begins": "00:00",
        "ends": "06:30",
        "zone": "Pacific/Auckland",
        "approvals_2": "2",
        "groups_2": ["administrator", "reviewer"],
        "order": "once",
    }
    assert client.post(f"{DRAFT}new/", {**filled, "revision": "1"}).status_code == 302
    made = next(each for each in drafted() if each.name == "All of it")
    form = client.get(f"{DRAFT}{made.key}/").context["form"]
    again = {name: form[name].value() for name in filled}
    assert client.post(f"{DRAFT}{made.key}/", {**again, "revision": "2"}).status_code == 302
    kept = next(each for each in drafted() if each.name == "All of it")
    assert kept == made and made.conditions.window and made.conditions.window.begins == "00:00"
    assert (made.conditions.seconds, made.conditions.destructive) == (Range(90.0, 7200.0), False)
    assert [stage.approvals for stage in made.outcome.stages] == [1, 2] and not made.outcome.in_sequence


def test_what_looks_wrong_is_said_and_can_be_proposed(as_, draft):
    client = as_("administrator")
    posted(client, f"{DRAFT}new/", **{**MINIMAL, "approvals_1": "5"}, revision=1)
    page = text(client, DRAFT)
    assert "“Any” catches every job, so what follows it is never asked: Everything else." in page
    assert "“Any” needs five approvals by reviewer, and 2 people could give them" in page
    posted(client, f"{DRAFT}else/removal/", revision=2)
    posted(client, f"{DRAFT}{next(e.key for e in drafted() if e.name == 'Any')}/removal/", revision=3)
    assert "No rule catches every job" in text(client, DRAFT)


def test_the_story_of_a_change(console: House, as_, people, settings):
    """Begun, tested on the past, proposed, sent back, proposed anew, accepted; then it holds, and what waited waits on
    as it did."""

    def reprocessed(run) -> Job:
        job = requests.ask_reprocess(settings.WAREHOUSE_URL, [run], Options(), reason="r", actor=people["operator"])
        work.run(job.pk)
        return Job.objects.get(pk=job.pk)

    runs = [console.deliver("20260105", row(org), org=org) for org in "abc"]
    assert reprocessed(runs[0]).state == "queued"
    old = asked(people["operator"], datetime.now(UTC), 200_000, state="awaiting approval")
    Request.objects.create(job=old, digest="d", why=["It was large."], expires_at=datetime.now(UTC))
    author, other = as_("administrator"), as_("reviewer")
    posted(author, f"{DRAFT}begin/")
    posted(author, f"{DRAFT}new/", **{**MINIMAL, "name": "Visits", "tables": "visits"}, revision=1)
    page = text(author, DRAFT)
    assert '<span class="big-number">1</span> of 2 jobs would have gone another way: 1 stopped' in page
    assert "Goes ahead" in page and "About stg.visits" in page
    assert "Say why" in posted(author, f"{DRAFT}proposal/", reason=" ", revision=2)
    assert "Proposed." in posted(author, f"{DRAFT}proposal/", reason="visits matter", revision=2)
    assert "You had a hand in it" in text(author, DRAFT) and "visits matter" in text(other, DRAFT)
    assert reprocessed(runs[1]).state == "queued"
    digest = RuleVersion.objects.get(state="proposed").digest
    sent_back = posted(
        other, f"{DRAFT}decision/", digest=digest, verdict="back", note="Name calls, too.", password=PASSWORD
    )
    assert "Sent back: Name calls, too." in sent_back
    posted(author, f"{DRAFT}proposal/", reason="visits matter", revision=2)
    assert "had a hand" in posted(author, f"{DRAFT}decision/", digest=digest, verdict="accept", password=PASSWORD)
    assert "not the one" in posted(other, f"{DRAFT}decision/", digest="d", verdict="accept", password=PASSWORD)
    digest = RuleVersion.objects.get(state="proposed").digest
    assert "The rules are in force." in posted(
        other, f"{DRAFT}decision/", digest=digest, verdict="accept", password=PASSWORD
    )
    job = reprocessed(runs[2])
    assert job.state == "awaiting approval"
    assert Request.objects.get(job=job).why == ["It is about the table visits."]
    assert Request.objects.get(job=old).why == ["It was large."]
    assert "Visits added" in text(other, ALL) and "accepted by reviewer" in text(other, ALL)
    version = text(other, f"{ALL}versions/2/")
    assert '<span class="muted">Added</span>' in version and "visits matter" in version
    assert "What it changed" not in text(other, f"{ALL}versions/1/")


def test_who_decides_on_the_rules_shows_that_it_is_them(as_, draft, people):
    """Without JavaScript: the page comes back with the field, the note, and nothing decided."""
    rule_versions.remove(draft, people["reviewer"], "long", revision=1)
    draft.refresh_from_db()
    rule_versions.propose(draft, people["reviewer"], reason="Duration says little.", revision=2, now=NOW)
    client, digest = as_("administrator"), RuleVersion.objects.get(state="proposed").digest
    assert "Asked again, as your login is some minutes old." in text(client, DRAFT)
    for verdict in ("accept", "back"):
        answer = client.post(f"{DRAFT}decision/", {"digest": digest, "verdict": verdict, "note": "Read twice."})
        told = answer.content.decode()
        assert answer.status_code == 422 and "older than 5 min" in told and "Read twice." in told
    for _try in range(MOST_WRONG):
        answer = client.post(f"{DRAFT}decision/", {"digest": digest, "verdict": "accept", "password": "a-wrong-one"})
        assert answer.status_code == 422 and "a-wrong-one" not in answer.content.decode()
    right = {"digest": digest, "verdict": "accept", "password": PASSWORD}
    assert "Too many wrong passwords" in client.post(f"{DRAFT}decision/", right).content.decode()
    assert rule_versions.in_force().number == 1 and RuleVersion.objects.get(state="proposed")
    odd = client.post(f"{DRAFT}decision/", {"digest": digest, "verdict": "perhaps"})
    assert odd.status_code == 422 and "no decision about these rules" in odd.content.decode()
    logged_in = Client()
    logged_in.post("/login/", {"username": "administrator", "password": PASSWORD})
    assert "Your password" not in text(logged_in, DRAFT)
    logged_in.post(f"{DRAFT}decision/", {"digest": digest, "verdict": "accept"})
    assert rule_versions.in_force().number == 2


def test_the_command_shows_the_rules_and_tests_a_job(told, people):
    found = told("rules")
    assert (found["version"], found["accepted_by"], len(found["rules"])) == (1, None, 5)
    assert found["rules"][1]["conditions_told"] == "More than 100,000 records"
    job = asked(people["operator"], NOW, 200_000, state="awaiting approval")
    tested = told("rules", "test", str(job.pk))
    assert [each["catches"] for each in tested["rules"]] == [False, True, False, False, False]
    assert tested["policy"]["rule"] == "Many records"
    assert tested["rules"][2]["answers"] == [
        {"condition": "a duration of more than 2 h", "holds": False, "told": "It may take 1 s, no more than 2 h."}
    ]
    assert "There is no draft" in told("rules", "test", str(job.pk), "--draft", code=1)["error"]
    draft = rule_versions.begin(people["reviewer"], NOW)
    rule_versions.add(draft, people["reviewer"], rule("Free", NONE), revision=1)
    rule_versions.remove(draft, people["reviewer"], "many-records", revision=2)
    rule_versions.remove(draft, people["reviewer"], "many-jobs", revision=3)
    assert told("rules", "test", str(job.pk), "--draft")["told"] == "It goes ahead without an approval."


def test_the_command_says_what_it_cannot_do(told, people):
    assert "not the id of a job" in told("rules", "test", "x", code=2)["error"]
    assert "There is no job" in told("rules", "test", "00000000-0000-4000-8000-000000000000", code=1)["error"]
    job = asked(people["operator"], NOW, preview=None, state="previewing")
    assert "preview is not made yet" in told("rules", "test", str(job.pk), code=1)["error"]
    put([])
    found = told("rules", code=1)
    assert found["rules"] == [] and "every job needs an approval" in found["error"]
