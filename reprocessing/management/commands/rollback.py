"""`manage.py rollback JOB --reason TEXT`: take a published reprocessing back."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser

from jobs import actors, answers
from jobs.models import Job
from reprocessing import rollback_requests
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer, demand_tables


class Command(AnsweringCommand):
    help = "Takes a published reprocessing back; somebody else must approve it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=an_id, help="the job to take back: a reprocessing, a wave, or a whole rollout")
        parser.add_argument("--reason", required=True, help="why; the reviewer reads it")
        parser.add_argument(
            "--with-later",
            action="store_true",
            help="take later jobs that replaced its files back with it, newest first",
        )
        parser.add_argument("--tables", nargs="+", default=[], metavar="TABLE", help="only these tables of staging")
        answers.offer_wait(parser)

    def handle(self, *, job: UUID, reason: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if not reason.strip():
                raise Refusal("--reason is empty: say why.", code=2)
            undone = Job.objects.select_related("plan").filter(pk=job).first()
            if undone is None:
                raise Refusal(f"There is no job {job}.")
            asked = rollback_requests.ask(
                settings.WAREHOUSE_URL,
                undone,
                reason=reason.strip(),
                actor=actors.of_shell(actor),
                with_later=options["with_later"],
                tables=demand_tables(*options["tables"]),
            )
            answers.tell_asked(said, asked, wait=options["wait"])
