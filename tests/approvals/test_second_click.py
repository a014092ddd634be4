"""A form that is sent twice, one after the other or at the same moment, does what it does once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from datetime import time, timedelta
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from approvals import closing, comments, rule_versions, windows
from approvals.gate import RefusedError
from approvals.models import Comment, Window
from approvals.rule_models import RuleVersion
from audit.models import Event
from jobs.naming import NameTakenError
from monitoring.alerts import downtimes, rules
from monitoring.alerts.models import Downtime, Rule
from notifications import channels
from notifications.models import Route
from reprocessing import askers
from reprocessing.asking_models import Schedule

AT_ONCE = 8
DRAFT = "/approvals/rules/draft/"
NIGHT = {"weekdays": ["0"], "begins": "22:00", "ends": "04:00", "zone": "UTC"}


def at_once(act: Callable[[], object]) -> None:
    """All begin together; whoever comes too late may be refused."""
    together = Barrier(AT_ONCE)

    def one(_number: int) -> None:
        try:
            together.wait(30)
            with suppress(RefusedError, NameTakenError):
                act()
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(AT_ONCE)))


def events(action: str) -> int:
    return Event.objects.filter(action=action).count()


def browser(user: User) -> Client:
    made = Client()
    made.force_login(user)
    return made


@pytest.mark.django_db(transaction=True)
def test_what_is_sent_at_the_same_moment_happens_once(asked, people):
    request, operator, admin = asked(), people["operator"], people["administrator"]
    window = Window.objects.create(name="night", weekdays=[0], begins=time(22), ends=time(4), zone="UTC")
    route = Route.objects.create(topic="failed", role="operator")
    at_once(lambda: comments.add(request, operator, "Finance found it."))
    at_once(lambda: closing.remind(request, operator))
    at_once(lambda: windows.remove(Window(pk=window.pk, name="night", begins=time(22), ends=time(4)), admin))
    at_once(lambda: channels.drop_route(Route(pk=route.pk, topic="failed", role="operator"), admin))
    told = ["comment added", "request reminded", "change window removed", "route dropped"]
    assert {action: events(action) for action in told} == dict.fromkeys(told, 1)
    assert Comment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_name_that_is_given_twice_at_the_same_moment_is_refused_in_the_form(people):
    answers: list[int] = []
    form = {"name": "night", **NIGHT}
    clients = [browser(people["administrator"]) for _ in range(AT_ONCE)]
    at_once(lambda: answers.append(clients.pop().post("/approvals/windows/new/", form).status_code))
    assert sorted(answers) == [302] + [422] * (AT_ONCE - 1)
    answers.clear()
    form = {"name": "post", "form": "email", "address": "mailto://mail.example?from=restage@mail.example"}
    clients = [browser(people["administrator"]) for _ in range(AT_ONCE)]
    at_once(lambda: answers.append(clients.pop().post("/notifications/channels/new/", form).status_code))
    assert sorted(answers) == [302] + [422] * (AT_ONCE - 1)


@pytest.mark.django_db(transaction=True)
def test_a_schedule_and_an_alert_rule_are_made_once_and_what_ends_ends_once(people):
    ops, now = people["ops"], timezone.now()
    nightly = {"name": "Nightly", "expression": "* * * * *", "zone": "UTC", "owner": people["operator"], "until": now}
    at_once(lambda: askers.save(Schedule(**nightly), ops))
    at_once(lambda: rules.save(Rule(name="Errors", metric="run error rate", threshold=0.05), ops, now=now))
    downtime = Downtime(begins=now - timedelta(hours=1), ends=now + timedelta(hours=1), reason="an update")
    downtimes.add(downtime, ops)
    at_once(lambda: downtimes.end(copy(downtime), ops, now))
    schedule = Schedule.objects.get(name="Nightly")
    at_once(lambda: askers.delete(copy(schedule), ops, reason="no use"))
    told = ["schedule created", "alert rule created", "downtime ended", "schedule deleted"]
    assert {action: events(action) for action in told} == dict.fromkeys(told, 1)


@pytest.mark.django_db
def test_the_same_words_count_again_once_somebody_has_said_something_else(asked, people):
    request = asked()
    for name, text in (("operator", "yes"), ("operator", "yes"), ("reviewer", "yes"), ("operator", "yes")):
        comments.add(request, people[name], text)
    assert [one.author.get_username() for one in comments.thread(request)] == ["operator", "reviewer", "operator"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["drop/", "proposal/", "proposal/return/", "decision/"])
def test_a_second_click_on_what_is_over_says_so_and_goes_to_the_rules(people, path):
    answer = browser(people["administrator"]).post(f"{DRAFT}{path}", {"revision": "1"}, follow=True)
    assert answer.redirect_chain[-1][0] == "/approvals/rules/"
    assert "Nothing was changed" in answer.content.decode()


@pytest.mark.django_db
def test_a_page_of_before_drops_no_draft_that_it_has_not_shown(people):
    author = people["administrator"]
    draft = rule_versions.begin(author, timezone.now())
    rule_versions.remove(draft, author, "long", revision=1)
    answer = browser(author).post(f"{DRAFT}drop/", {"revision": "1"}, follow=True)
    assert "changed the draft meanwhile" in answer.content.decode()
    assert RuleVersion.objects.get(pk=draft.pk).state == "draft"
    page = browser(author).get(DRAFT).content.decode()
    dropping = page[page.index(f'action="{DRAFT}drop/"') :]
    assert 'name="revision" value="2"' in dropping[: dropping.index("</form>")]
    browser(author).post(f"{DRAFT}drop/", {"revision": "2"})
    assert RuleVersion.objects.get(pk=draft.pk).state == "dropped"
