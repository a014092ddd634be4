"""Who decides shows that it is them: the login is minutes old, or the password is asked again."""

from datetime import timedelta

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import Client
from django.utils import timezone

from approvals import confirming
from approvals.confirming import KEY, MOST_WRONG, NotConfirmedError
from audit import circumstances
from audit.models import Event
from tests.approvals.conftest import PASSWORD, again

pytestmark = pytest.mark.django_db


def session(minutes: float | None) -> SessionStore:
    made = SessionStore()
    if minutes is not None:
        confirming.note_login(made, timezone.now() - timedelta(minutes=minutes))
    return made


@pytest.mark.parametrize(
    ("minutes", "needed"), [(None, True), (0, False), (3.9, False), (4.1, True), (6, True), (-1, True)]
)
def test_a_login_of_the_last_minutes_is_enough(minutes, needed):
    """With a minute to spare for reading."""
    assert confirming.needed(session(minutes), timezone.now()) is needed


@pytest.mark.parametrize("odd", ["", "x", None, "nan", 1e300, [], float("inf")])
def test_an_odd_time_of_the_login_is_no_proof(odd):
    made = session(None)
    made[KEY] = odd
    assert confirming.needed(made, timezone.now())


def test_the_right_password_proves_it_for_some_minutes(people):
    made, now = session(9), timezone.now()
    with pytest.raises(NotConfirmedError, match="older than 5 min"):
        confirming.confirm(people["reviewer"], made, "", now=now)
    confirming.confirm(people["reviewer"], made, PASSWORD, now=now)
    confirming.confirm(people["reviewer"], made, "", now=now + timedelta(minutes=4))
    assert Event.objects.get(action="identity confirmed").actor == people["reviewer"]


def test_a_wrong_one_is_refused_even_where_none_was_needed(people):
    with pytest.raises(NotConfirmedError, match="not your password"):
        confirming.confirm(people["reviewer"], session(0), "wrong", now=timezone.now())
    assert Event.objects.get(action="confirmation refused").result == "refused"


def test_guessing_is_held_off_here_and_nobody_else_is(people):
    now = timezone.now()

    def guess(name: str, password: str, address: str, at=now) -> str:
        with circumstances.of("page", address=address):
            try:
                confirming.confirm(people[name], session(None), password, now=at)
            except NotConfirmedError as error:
                return str(error)
        return ""

    for _ in range(MOST_WRONG):
        assert "not your password" in guess("reviewer", "wrong", "10.0.0.1")
    assert "Too many" in guess("reviewer", PASSWORD, "10.0.0.1")
    assert guess("reviewer", PASSWORD, "10.0.0.2") == ""
    assert guess("reviewer2", PASSWORD, "10.0.0.1") == ""
    assert guess("reviewer", PASSWORD, "10.0.0.1", now + timedelta(minutes=16)) == ""
    for number in range(MOST_WRONG):
        assert "not your password" in guess("reviewer", "wrong", f"2001:db8::{number}")
    assert "Too many" in guess("reviewer", PASSWORD, "2001:db8::ffff")


def test_the_form_asks_for_it_and_keeps_the_note(asked, people):
    request, client = asked(), Client()
    client.force_login(people["reviewer"])
    page = client.get(f"/jobs/{request.job_id}/").content.decode()
    assert "Asked again, as your login is some minutes old." in page
    form = {"digest": request.digest, "verdict": "approve", "reason": "read it twice"}
    answer = client.post(f"/jobs/{request.job_id}/decision/", form)
    told = answer.content.decode()
    assert answer.status_code == 422 and "read it twice" in told and "older than 5 min" in told
    assert PASSWORD not in client.post(f"/jobs/{request.job_id}/decision/", {**form, "password": "x"}).content.decode()
    assert client.post(f"/jobs/{request.job_id}/decision/", {**form, "password": PASSWORD}).status_code == 302
    assert again(request).state == "approved"


def test_who_just_logged_in_is_not_asked(asked, people):
    request, client = asked(), Client()
    client.post("/login/", {"username": "reviewer", "password": PASSWORD})
    assert "Your password" not in client.get(f"/jobs/{request.job_id}/").content.decode()
    client.post(f"/jobs/{request.job_id}/decision/", {"digest": request.digest, "verdict": "approve"})
    assert again(request).state == "approved"
