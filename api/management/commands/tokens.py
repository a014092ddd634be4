"""`manage.py tokens list` and `manage.py tokens revoke NUMBER`: the tokens of the API, and an end to one."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from access import rights
from api import tokens
from api.models import Token
from jobs import actors, answers
from warehouse.amounts import things
from warehouse.commands import AnsweringCommand, Refusal, answer


class Command(AnsweringCommand):
    help = "Lists the tokens of the API that can be used, or revokes one. They are made on a page, by who uses them."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        answers.offer_actor(actions.add_parser("list", help="whose they are, what they may, when they were last used"))
        revoke = actions.add_parser("revoke", help="from then on it opens nothing")
        revoke.add_argument("number", type=int, help="as the list has it")
        answers.offer_actor(revoke)

    def handle(self, *, action: str, actor: str | None, number: int = 0, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            user, now = actors.of_shell(actor), timezone.now()
            if action == "revoke":
                found = Token.objects.select_related("owner").filter(pk=number).first()
                if found is None:
                    raise Refusal(f"There is no token {number}. `manage.py tokens list` has those that there are.")
                tokens.revoke(found, user, now)
                said.result = {"revoked": _as_json(found)}
                said.line(f"The token {found.name} of {found.owner} is revoked.")
                return
            rights.demand(user, rights.MANAGE_TOKENS)
            rows = [_as_json(token) for token in tokens.living(now)]
            said.result = {"tokens": rows}
            for row in rows:
                used = f"last used {row['used_at'][:16]}" if row["used_at"] else "never used"
                said.line(
                    f"{row['number']} {row['name']} of {row['owner']}, {row['begins']}…: {row['scope']}, {used},"
                    f" until {row['expires_at'][:16]}"
                )
            said.line(things(len(rows), "token"))


def _as_json(token: Token) -> dict[str, Any]:
    return {
        "number": token.pk,
        "name": token.name,
        "owner": token.owner.get_username(),
        "begins": token.begins,
        "scope": token.scope,
        "made_at": token.made_at.isoformat(),
        "used_at": token.used_at.isoformat() if token.used_at else None,
        "expires_at": token.expires_at.isoformat(),
    }
