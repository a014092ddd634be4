"""Commands act as accounts that the console knows; a misspelt name is refused, and a fresh install can begin."""

import getpass
import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from access import rights
from audit.models import Event
from jobs import actors
from jobs.actors import UnknownAccountError
from tests.house import House, row

pytestmark = pytest.mark.django_db(databases="__all__")


def answer(*words: str, code: int = 0) -> dict[str, Any]:
    out = StringIO()
    if code:
        with pytest.raises(SystemExit) as ended:
            call_command(*words, "--json", stdout=out, stderr=StringIO())
        assert ended.value.code == code
    else:
        call_command(*words, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_the_first_operator_of_a_fresh_install_is_the_shells_own_account(db):
    user = actors.of_shell(None)
    assert (user.username, rights.roles_of(user), user.has_usable_password()) == (
        getpass.getuser(),
        ["operator", "archive admin"],
        False,
    )
    event = Event.objects.get(action="account made")
    assert (event.actor_name, event.detail) == (getpass.getuser(), {"roles": ["operator", "archive admin"]})
    assert actors.of_shell(None) == actors.of_shell(getpass.getuser()) == user
    assert User.objects.count() == Event.objects.count() == 1


def test_a_misspelt_name_makes_nobody_and_is_told_who_is_known(console: House, people):
    run = console.deliver("20260105", row("1"))
    told = answer("reprocess", str(run), "--reason", "r", "--as", "oprator", code=1)["error"]
    assert told.startswith("The console knows no account oprator. It knows administrator, ") and "operator," in told
    assert "`manage.py accounts add oprator --role operator` makes one" in told
    assert not User.objects.filter(username="oprator").exists()
    for number in range(30):
        User.objects.create_user(f"u{number}")
    with pytest.raises(UnknownAccountError, match="and 19 more"):
        actors.of_shell("oprator")


def test_an_account_is_made_by_name_with_its_roles_and_seen_in_the_trail(console: House, people):
    made = answer("accounts", "add", "otis", "--role", "ops", "--role", "viewer", "--role", "ops", "--as", "ops")
    assert made == {"accounts": [{"name": "otis", "roles": ["viewer", "ops"], "active": True}]}
    event = Event.objects.get(action="account made")
    assert (event.actor_name, event.detail) == ("ops", {"roles": ["ops", "viewer"]})
    assert not User.objects.get(username="otis").has_usable_password()
    assert {"name": "otis", "roles": ["viewer", "ops"], "active": True} in answer("accounts", "list")["accounts"]
    assert actors.of_shell("otis").username == "otis"


def test_what_cannot_be_an_account_is_refused(console: House, people):
    assert "already, operator" in answer("accounts", "add", "operator", "--role", "ops", code=1)["error"]
    assert rights.roles_of(people["operator"]) == ["operator"]
    assert "cannot be a name" in answer("accounts", "add", "a b", "--role", "ops", code=2)["error"]
    assert "at most 150" in answer("accounts", "add", "a" * 151, "--role", "ops", code=2)["error"]
    with pytest.raises(CommandError, match="invalid choice: 'king'"):
        call_command("accounts", "add", "otis", "--role", "king")
    assert not User.objects.filter(username="otis").exists()


def test_who_holds_a_right_is_active_and_told_once():
    for name, roles in (("two", ["reviewer", "administrator"]), ("one", ["reviewer"]), ("none", ["viewer"])):
        rights.give(User.objects.create_user(name), roles)
    User.objects.create_user("gone", is_active=False).groups.set(User.objects.get(username="one").groups.all())
    assert sorted(person.username for person in rights.holders(rights.DECIDE)) == ["one", "two"]
    assert rights.holder_ids(rights.RESTORE) == {User.objects.get(username="two").pk}
