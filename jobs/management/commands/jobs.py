"""`manage.py jobs show ID` and `jobs cancel ID`."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from access import rights
from audit.transitions import StateChangedError
from jobs import actors, answers, submission
from jobs.models import Job
from warehouse.commands import AnsweringCommand, Refusal, answer


class Command(AnsweringCommand):
    help = "Shows or cancels a job."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for name, does in (("show", "what it is, and how far"), ("cancel", "stop it before it publishes")):
            action = actions.add_parser(name, help=does)
            action.add_argument("job", type=UUID)
            answers.offer_actor(action)

    def handle(self, *, action: str, job: UUID, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            found = Job.objects.select_related("plan", "requested_by").filter(pk=job).first()
            if found is None:
                raise Refusal(f"There is no job {job}.")
            if action == "cancel":
                user = actors.of_shell(actor)
                if not rights.may(user, rights.CANCEL):
                    raise Refusal(f"{user} may not {rights.CANCEL}.")
                try:
                    submission.cancel(found, user)
                except StateChangedError as error:
                    raise Refusal(f"It cannot be cancelled: it is {found.state}.") from error
                found.refresh_from_db()
            answers.tell(said, found)
            if action == "cancel" and found.active:
                said.line("Its worker has been asked to stop; nothing more is published.")
