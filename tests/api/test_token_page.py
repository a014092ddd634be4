"""The page and the command of tokens."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from api import tokens
from api.models import Token
from api.tokens import MOST_LIVING, CannotGiveError
from audit.models import Event
from jobs.naming import NameTakenError
from tests.house import House

pytestmark = pytest.mark.django_db(databases="__all__")
PASSWORD = "pass-word-1"
FORM = {"name": "nightly", "scope": "ask", "days": "30", "password": PASSWORD}


def give(owner, name: str = "ci", days: int = 30) -> tuple[Token, str]:
    return tokens.give(owner, name=name, scope="read", days=days, now=timezone.now())


def test_a_token_is_shown_once_and_opens_the_api(console: House, as_):
    browser = as_("operator")
    answer = browser.post("/account/tokens/", FORM)
    secret = next(word for word in answer.content.decode().replace('"', " ").split() if word.startswith("restage_"))
    assert answer.status_code == 200 and "no-store" in answer.headers["Cache-Control"]
    page = browser.get("/account/tokens/").content.decode()
    assert "nightly" in page and secret[:16] in page and secret not in page
    assert Client().get("/api/v1/runs/", headers={"Authorization": f"Token {secret}"}).status_code == 200
    made = Event.objects.get(action="token made")
    assert (made.actor_name, made.how, made.detail["name"]) == ("operator", "page", "nightly")


def test_making_one_needs_the_password_where_the_login_is_old(console: House, as_):
    answer = as_("operator").post("/account/tokens/", {**FORM, "password": ""})
    assert answer.status_code == 422 and "Type your password" in answer.content.decode()
    answer = as_("operator").post("/account/tokens/", {**FORM, "password": "wrong"})
    assert answer.status_code == 422 and not Token.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": "0"},
        {"days": "91"},
        {"days": ""},
        {"scope": "approve"},
        {"name": ""},
        {"name": "x" * 61},
        {"name": "a\nb"},
    ],
)
def test_a_wrong_form_comes_back(console: House, as_, wrong):
    assert as_("operator").post("/account/tokens/", {**FORM, **wrong}).status_code == 422
    assert not Token.objects.exists()


def test_each_sees_and_revokes_their_own_and_who_may_everybodys(console: House, as_, people):
    own, _secret = give(people["viewer"], "of the viewer")
    other, _secret = give(people["operator"], "of the operator")
    page = as_("viewer").get("/account/tokens/").content.decode()
    assert "of the viewer" in page and "of the operator" not in page
    assert as_("viewer").post(f"/account/tokens/{other.pk}/revocation/").status_code == 404
    assert as_("viewer").post(f"/account/tokens/{own.pk}/revocation/").status_code == 302
    assert "of the operator" in as_("administrator").get("/account/tokens/").content.decode()
    assert as_("administrator").post(f"/account/tokens/{other.pk}/revocation/").status_code == 302
    assert not tokens.living(timezone.now())
    again = as_("administrator").post(f"/account/tokens/{other.pk}/revocation/", follow=True)
    assert "revoked already" in again.content.decode()
    assert [event.actor_name for event in Event.objects.filter(action="token revoked")] == ["administrator", "viewer"]


def test_no_token_is_eternal_and_nobody_has_any_number(people):
    for days in (0, 91):
        with pytest.raises(CannotGiveError, match="1 to 90 days"):
            give(people["viewer"], days=days)
    for number in range(MOST_LIVING):
        give(people["viewer"], str(number))
    with pytest.raises(CannotGiveError, match="revoke one first"):
        give(people["viewer"], "one more")
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    give(people["viewer"], "0")
    with pytest.raises(NameTakenError):
        give(people["viewer"], "0")


def test_the_command_lists_and_revokes(people, told):
    made, secret = give(people["viewer"])
    (row,) = told("tokens", "list", "--as", "administrator")["tokens"]
    assert (row["number"], row["owner"], row["scope"]) == (made.pk, "viewer", "read") and secret not in str(row)
    assert "do not let you" in told("tokens", "list", "--as", "operator", code=1)["error"]
    assert "do not let you" in told("tokens", "revoke", str(made.pk), "--as", "operator", code=1)["error"]
    told("tokens", "revoke", str(made.pk), "--as", "administrator")
    assert told("tokens", "list", "--as", "administrator")["tokens"] == []
    assert "already" in told("tokens", "revoke", str(made.pk), "--as", "administrator", code=1)["error"]
    assert "no token 0" in told("tokens", "revoke", "0", "--as", "administrator", code=1)["error"]
