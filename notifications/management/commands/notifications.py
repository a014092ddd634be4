"""`manage.py notifications [list | resend ID… | resend --all]`."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.utils import timezone

from jobs import actors, answers
from notifications import undelivered
from notifications.models import Message
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer


class Command(AnsweringCommand):
    help = "Lists the letters that were not delivered, or has them sent again (same id)."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        answers.offer_actor(actions.add_parser("list", help="what was not delivered, what is tried again"))
        resend = actions.add_parser("resend", help="have letters that were given up tried again")
        resend.add_argument("letter", nargs="*", type=an_id, help="its id")
        resend.add_argument("--all", action="store_true", help="every letter that was given up")
        answers.offer_actor(resend)

    def handle(self, *, action: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if action == "resend":
                sent, asked = self._resend(options["letter"], actors.of_shell(actor), every=options["all"])
                said.result = {"asked": asked, "resent": sent}
                said.line(f"{sent:,} of {asked:,} letters are sent again.")
                if sent < asked:
                    raise Refusal(f"{asked - sent:,} were not given up, are unknown, or their channel is retired.")
                return
            dead, late = [*undelivered.dead()], [*undelivered.late()]
            said.result = {
                "dead": [_as_json(message) for message in dead],
                "tried_again": [_as_json(message) for message in late],
                "stuck": undelivered.stuck(),
            }
            for message in (*dead, *late):
                said.line(f"{message.pk}  {message.state}  {message.channel}: {message.title}. {message.error}")
            if not dead and not late:
                said.line("Every letter was delivered.")

    def _resend(self, letters: list[UUID], actor: Any, *, every: bool) -> tuple[int, int]:
        if bool(letters) == every:
            raise Refusal("Name the letters to send again, or say --all.", code=2)
        ids = list(undelivered.dead().values_list("pk", flat=True)) if every else letters
        return undelivered.resend(ids, actor, timezone.now()), len(ids)


def _as_json(message: Message) -> dict[str, Any]:
    return {
        "id": str(message.pk),
        "state": message.state,
        "topic": message.topic,
        "count": message.count,
        "title": message.title,
        "channel": message.channel.name,
        "person": message.person.get_username() if message.person else None,
        "tries": message.attempts,
        "error": message.error,
        "made": message.created_at.isoformat(),
        "due": message.due_at.isoformat() if message.state == Message.State.WAITING else None,
    }
