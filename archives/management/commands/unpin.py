"""`manage.py unpin JOB --reason TEXT`: let raw decide again over what a restore keeps."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser

from archives import restore_requests
from jobs import actors, answers
from jobs.models import Job
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer


class Command(AnsweringCommand):
    help = "Lets raw decide again over the rows that a restore keeps; somebody else must approve it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=an_id, help="the restore")
        parser.add_argument("--reason", required=True, help="why; the reviewer reads it")
        answers.offer_wait(parser)

    def handle(self, *, job: UUID, reason: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if not reason.strip():
                raise Refusal("--reason is empty: say why.", code=2)
            restored = Job.objects.select_related("plan").filter(pk=job).first()
            if restored is None:
                raise Refusal(f"There is no job {job}.")
            asked = restore_requests.ask_unpin(
                settings.WAREHOUSE_URL, restored, reason=reason.strip(), actor=actors.of_shell(actor)
            )
            answers.tell_asked(said, asked, wait=options["wait"])
