"""`manage.py rollback JOB --reason TEXT`: take a published reprocessing back."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandParser

from jobs import actors, report, waiting
from jobs.models import Job
from jobs.submission import AlreadyActiveError
from reprocessing import rollback_requests
from reprocessing.management.commands.reprocess import GOOD_ENDS
from warehouse.commands import Refusal, answer


class Command(BaseCommand):
    help = "Takes a published reprocessing back; somebody else must approve it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=UUID, help="the job to take back: a reprocessing, a wave, or a whole rollout")
        parser.add_argument("--reason", required=True, help="why; the reviewer reads it")
        parser.add_argument(
            "--with-later",
            action="store_true",
            help="take later jobs that replaced its files back with it, newest first",
        )
        parser.add_argument("--tables", nargs="+", default=[], metavar="TABLE", help="only these tables of staging")
        parser.add_argument("--wait", action="store_true", help="stay until the job is over or waits for a person")
        parser.add_argument("--as", dest="actor", help="the console user to act as (this account's name)")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *, job: UUID, reason: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if not reason.strip():
                raise Refusal("--reason is empty: say why.", code=2)
            undone = Job.objects.select_related("plan").filter(pk=job).first()
            if undone is None:
                raise Refusal(f"There is no job {job}.")
            try:
                asked = rollback_requests.ask(
                    settings.WAREHOUSE_URL,
                    undone,
                    reason=reason.strip(),
                    actor=actors.of_shell(actor),
                    with_later=options["with_later"],
                    tables=options["tables"],
                )
            except (AlreadyActiveError, PermissionDenied) as error:
                raise Refusal(str(error)) from error
            if options["wait"]:
                asked = waiting.wait(asked)
            said.result = report.as_json(asked)
            for line in report.lines(asked):
                said.line(line)
            if options["wait"] and asked.state not in GOOD_ENDS:
                raise Refusal(asked.error or f"The job is {asked.state}.")
