"""`manage.py accounts [list | add NAME --role ROLE… | link NAME NAME | unlink NAME]`: who is known to the console."""

from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser

from access import rights
from jobs import actors, answers
from warehouse.commands import AnsweringCommand, Refusal, answer

LONGEST = 150


class Command(AnsweringCommand):
    help = "Lists the console's accounts, or makes one. A new one has no password: `manage.py changepassword` sets it."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        answers.offer_actor(actions.add_parser("list", help="every account with its roles"))
        add = actions.add_parser("add", help="make an account")
        add.add_argument("name", help="its name, as it is logged in with and seen in the trail")
        add.add_argument("--role", action="append", required=True, choices=[*rights.ROLES], help="can be repeated")
        answers.offer_actor(add)
        link = _acts_on_account(
            actions, "link", "note that two accounts are one person's: neither approves for the other"
        )
        link.add_argument("other", help="the other account")
        _acts_on_account(actions, "unlink", "note that an account is a person of its own again")

    def handle(self, *, action: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if action == "add":
                found = [self._add(options["name"], options["role"], actor)]
                said.line("It cannot log in before `manage.py changepassword` has given it a password.")
            elif action == "link":
                found = actors.link(options["name"], options["other"], by=actors.of_shell(actor))
                said.line("These are one person's now:")
            elif action == "unlink":
                others = actors.unlink(options["name"], by=actors.of_shell(actor))
                found = [User.objects.get(username=options["name"]), *others]
                said.line("The first is a person of its own now:")
            else:
                found = [*User.objects.order_by("username")]
            said.result = {"accounts": [_as_json(user) for user in found]}
            for user in found:
                said.line(f"{user.get_username()}: {', '.join(rights.roles_of(user)) or 'no role'}")

    def _add(self, name: str, roles: list[str], actor: str | None) -> User:
        try:
            UnicodeUsernameValidator()(name)
        except ValidationError as error:
            raise Refusal(f"{name!r} cannot be a name: letters, digits and @ . + - _ can.", code=2) from error
        if len(name) > LONGEST:
            raise Refusal(f"A name has at most {LONGEST} letters.", code=2)
        return actors.add(name, list(dict.fromkeys(roles)), by=actors.of_shell(actor))


def _acts_on_account(actions: Any, name: str, told: str) -> CommandParser:
    """One more action that begins with the name of an account."""
    made: CommandParser = actions.add_parser(name, help=told)
    made.add_argument("name", help="the account")
    answers.offer_actor(made)
    return made


def _as_json(user: User) -> dict[str, Any]:
    return {"name": user.get_username(), "roles": rights.roles_of(user), "active": user.is_active}
