"""The acts on the set of rules: who may, in which state, what the trail keeps; and rules that somebody altered."""

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, connections, transaction

from access import persons
from approvals import rule_shipped, rule_versions, rules
from approvals.models import RuleVersion
from approvals.rule_terms import Range
from approvals.rule_versions import CannotChangeRulesError
from audit.models import Event
from audit.transitions import StateChangedError
from tests.approvals.test_asks import SMALL
from tests.ruling import NONE, put, rule

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def fresh(version: RuleVersion) -> RuleVersion:
    return RuleVersion.objects.get(pk=version.pk)


@pytest.fixture
def draft(people) -> RuleVersion:
    return rule_versions.begin(people["reviewer"], NOW)


@pytest.fixture
def proposed(draft, people) -> RuleVersion:
    rule_versions.add(draft, people["reviewer"], rule("Tiny", NONE, records=Range(up_to=5)), revision=1)
    rule_versions.propose(draft, people["reviewer"], reason="tiny ones", revision=2, now=NOW)
    return fresh(draft)


def actions(version: RuleVersion) -> list[str]:
    return list(
        Event.objects.filter(subject=f"ruleversion:{version.pk}").order_by("id").values_list("action", flat=True)
    )


def test_the_shipped_rules_are_the_first_version(people):
    found = rule_versions.in_force()
    assert (found.number, found.problem, [r.name for r in found.rules][-1]) == (1, "", "Everything else")


def test_from_a_draft_to_in_force(people, proposed):
    author, other = people["reviewer"], people["administrator"]
    assert rule_versions.in_force().number == 1
    rule_versions.accept(proposed, other, digest=proposed.digest, now=NOW)
    found = rule_versions.in_force()
    assert (found.number, found.problem) == (2, "")
    assert [r.name for r in found.rules][-2:] == ["Tiny", "Everything else"]
    assert RuleVersion.objects.get(number=1).state == "former"
    accepted = fresh(proposed)
    assert (accepted.decided_by, accepted.proposed_by, accepted.authors) == (other, author, [author.pk])
    assert actions(proposed) == ["rules draft begun", "rule added", "rule version proposed", "rule version in force"]
    told = Event.objects.get(action="rule version proposed").detail
    assert told["differences"] == ["added · Tiny · No more than 5 records: no approval"]
    assert (told["reason"], told["from version"]) == ("tiny ones", 1)


def test_every_edit_keeps_what_was_before_and_counts_its_author(people, draft):
    rule_versions.add(draft, people["reviewer"], rule("Tiny", NONE, records=Range(up_to=5)), revision=1)
    tiny = next(r for r in fresh(draft).parsed if r.name == "Tiny")
    rule_versions.change(draft, people["administrator"], rule("Small").__class__(tiny.key, "Small", NONE), revision=2)
    keys = [r.key for r in fresh(draft).parsed]
    rule_versions.reorder(draft, people["reviewer2"], keys[::-1], revision=3)
    rule_versions.remove(draft, people["reviewer2"], tiny.key, revision=4)
    assert [r.key for r in fresh(draft).parsed] == [k for k in keys[::-1] if k != tiny.key]
    assert fresh(draft).authors == sorted(people[n].pk for n in ("reviewer", "reviewer2", "administrator"))
    assert actions(draft)[1:] == ["rule added", "rule changed", "rules reordered", "rule removed"]
    assert Event.objects.get(action="rule changed").detail == {
        "rule": "Small",
        "called before": "Tiny",
        "before": "No more than 5 records: no approval",
        "after": "Every job: no approval",
    }


ACTS: dict[str, Callable[[RuleVersion, User], object]] = {
    "begin": lambda v, who: rule_versions.begin(who, NOW),
    "add": lambda v, who: rule_versions.add(v, who, rule("X"), revision=v.revision),
    "change": lambda v, who: rule_versions.change(v, who, rule("Else"), revision=v.revision),
    "remove": lambda v, who: rule_versions.remove(v, who, "else", revision=v.revision),
    "reorder": lambda v, who: rule_versions.reorder(v, who, [r["key"] for r in v.rules][::-1], revision=v.revision),
    "propose": lambda v, who: rule_versions.propose(v, who, reason="r", revision=v.revision, now=NOW),
    "take back": lambda v, who: rule_versions.take_back(v, who),
    "drop": lambda v, who: rule_versions.drop(v, who, revision=v.revision),
    "accept": lambda v, who: rule_versions.accept(v, who, digest=v.digest, now=NOW),
    "send back": lambda v, who: rule_versions.send_back(v, who, digest=v.digest, note="n"),
}


def test_each_act_needs_its_right(people, proposed):
    for name, act in ACTS.items():
        for role in ("viewer", "operator", "ops", "auditor", "archive admin"):
            with pytest.raises(PermissionDenied):
                act(proposed, people[role])
            assert fresh(proposed).state == "proposed", (name, role)


@pytest.mark.parametrize("act", ["begin", "add", "change", "remove", "reorder", "propose", "drop"])
def test_a_proposal_stays_as_it_is(people, proposed, act):
    with pytest.raises((CannotChangeRulesError, StateChangedError)):
        ACTS[act](proposed, people["administrator"])
    assert fresh(proposed).rules == proposed.rules and fresh(proposed).state == "proposed"


@pytest.mark.parametrize("act", ["take back", "accept", "send back"])
def test_a_draft_is_not_decided_on(people, draft, act):
    with pytest.raises((CannotChangeRulesError, StateChangedError)):
        ACTS[act](draft, people["administrator"])
    assert fresh(draft).state == "draft"


def test_nobody_accepts_what_they_had_a_hand_in(people, draft):
    """By the act, and by the database whoever writes it; the refusal is kept."""
    rule_versions.remove(draft, people["administrator"], "long", revision=1)
    rule_versions.propose(draft, people["reviewer"], reason="r", revision=2, now=NOW)
    for name in ("administrator", "reviewer"):
        with pytest.raises(CannotChangeRulesError, match="had a hand"):
            ACTS["accept"](fresh(draft), people[name])
    assert Event.objects.filter(action="decision refused", subject=f"ruleversion:{draft.pk}").count() == 2
    for change in (
        "state = 'in force', number = 2, decided_by_id = proposed_by_id",
        "state = 'in force', number = 2",
        "authors = '[]'",
        "rules = '[]'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_ruleversion SET state = 'former' WHERE number = 1")
            cursor.execute(f"UPDATE approvals_ruleversion SET {change} WHERE id = %s", [draft.pk])
    ACTS["accept"](fresh(draft), people["reviewer2"])
    assert rule_versions.in_force().number == 2


def test_who_decides_has_seen_what_they_decide_on(people, proposed):
    ACTS["take back"](proposed, people["reviewer"])
    rule_versions.remove(proposed, people["reviewer"], "long", revision=2)
    rule_versions.propose(proposed, people["reviewer"], reason="r", revision=3, now=NOW)
    with pytest.raises(CannotChangeRulesError, match="not the one that you were shown"):
        ACTS["accept"](proposed, people["administrator"])


def test_what_is_sent_back_is_a_draft_with_a_note(people, proposed):
    with pytest.raises(CannotChangeRulesError, match="Say what is wrong"):
        rule_versions.send_back(proposed, people["administrator"], digest=proposed.digest, note=" ")
    ACTS["send back"](proposed, people["administrator"])
    found = fresh(proposed)
    assert (found.state, found.note, found.digest, found.proposed_by) == ("draft", "n", "", None)
    rule_versions.propose(found, people["reviewer"], reason="r", revision=found.revision, now=NOW)
    ACTS["accept"](fresh(found), people["administrator"])


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda d, who: rule_versions.propose(d, who, reason="r", revision=1, now=NOW), "what version 1 says"),
        (lambda d, who: rule_versions.propose(d, who, reason=" ", revision=1, now=NOW), "Say why"),
        (lambda d, who: rule_versions.remove(d, who, "long", revision=7), "changed the draft meanwhile"),
        (lambda d, who: rule_versions.remove(d, who, "gone", revision=1), "no such rule"),
        (lambda d, who: rule_versions.reorder(d, who, ["long"], revision=1), "every rule of the draft once"),
        (lambda d, who: rule_versions.begin(who, NOW), "a draft or a proposal already"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(people, draft, act, told):
    with pytest.raises(CannotChangeRulesError, match=told):
        act(draft, people["reviewer"])
    assert fresh(draft).revision == 1


def test_a_draft_can_be_dropped_and_begun_anew(people, draft):
    rule_versions.drop(draft, people["administrator"], revision=1)
    assert rule_versions.open_one() is None
    assert rule_versions.begin(people["reviewer2"], NOW).authors == [people["reviewer2"].pk]


def altered(statement: str) -> None:
    """As somebody does who owns the tables."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE approvals_ruleversion DISABLE TRIGGER USER")
        cursor.execute(statement)
        cursor.execute("ALTER TABLE approvals_ruleversion ENABLE ALWAYS TRIGGER approvals_rules_stay")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE approvals_ruleversion SET rules = rules - 0 WHERE number = 2",
            "as it was",
        ),
        ("UPDATE approvals_ruleversion SET rules = '[]' WHERE number = 2", "as it was"),
        ("UPDATE approvals_ruleversion SET digest = '' WHERE number = 2", "as it was"),
        ("UPDATE approvals_ruleversion SET decided_by_id = proposed_by_id WHERE number = 2", "as it was"),
        ("UPDATE approvals_ruleversion SET authors = '[]' WHERE number = 2", "as it was"),
        (
            "UPDATE approvals_ruleversion SET state = 'former' WHERE number = 2;"
            " UPDATE approvals_ruleversion SET state = 'in force' WHERE number = 1",
            "as it was",
        ),
        ("UPDATE approvals_ruleversion SET state = 'former' WHERE number = 2", "no approval rules in force"),
        ("DELETE FROM approvals_ruleversion", "no approval rules in force"),
    ],
)
def test_rules_that_somebody_altered_let_nothing_through(people, proposed, statement, told):
    ACTS["accept"](proposed, people["administrator"])
    assert rules.judged(rule_versions.in_force(), SMALL) is None
    altered(statement)
    found = rules.judged(rule_versions.in_force(), SMALL)
    assert found and found.stages and told in found.why[0]
    made = rule_versions.begin(people["reviewer"], NOW)
    assert made.rules == rule_shipped.shipped(), "the way out begins with the shipped rules"


@pytest.mark.parametrize("broken", [[], [{"key": "x"}], {"no": "list"}])
def test_rules_that_say_nothing_let_nothing_through(people, broken):
    put(broken)
    found = rules.judged(rule_versions.in_force(), SMALL)
    assert found and found.stages


def test_a_version_is_never_changed_whoever_writes_the_table(people, proposed):
    ACTS["accept"](proposed, people["administrator"])
    for statement in (
        "UPDATE approvals_ruleversion SET rules = '[]' WHERE number = 1",
        "UPDATE approvals_ruleversion SET state = 'in force' WHERE number = 1",
        "UPDATE approvals_ruleversion SET state = 'draft' WHERE number = 2",
        "DELETE FROM approvals_ruleversion WHERE number = 1",
        "INSERT INTO approvals_ruleversion (number, state, rules, revision, authors, reason, digest, begun_at, note)"
        " VALUES (3, 'former', '[]', 1, '[]', '', '', now(), '')",
    ):
        with (
            pytest.raises(DatabaseError, match=r"(?i)approval rules"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_once_one_does(people, proposed):
    start = Barrier(2)
    came: list[int | str] = []

    def accept(name: str) -> None:
        start.wait()
        try:
            came.append(rule_versions.accept(fresh(proposed), people[name], digest=proposed.digest, now=NOW))
        except (StateChangedError, CannotChangeRulesError) as error:
            came.append(str(error))
        finally:
            connections.close_all()

    threads = [Thread(target=accept, args=[name]) for name in ("administrator", "reviewer2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert came.count(2) == 1 and any("not open for a decision" in str(each) for each in came)
    assert RuleVersion.objects.filter(state="in force").count() == 1
    assert Event.objects.filter(action="rule version in force").count() == 1


def test_another_account_of_its_author_neither_accepts_it_nor_puts_it_in_force_by_hand(proposed, people):
    persons.link(people["reviewer"], people["reviewer2"])
    with pytest.raises(CannotChangeRulesError, match="had a hand"):
        rule_versions.accept(proposed, people["reviewer2"], digest=proposed.digest, now=NOW)
    with pytest.raises(DatabaseError, match="had no hand"), transaction.atomic():
        RuleVersion.objects.filter(pk=proposed.pk).update(
            state="in force", number=9, decided_by=people["reviewer2"], decided_at=NOW, begun_at=NOW
        )
    assert fresh(proposed).state == "proposed"
