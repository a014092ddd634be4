"""`manage.py retry JOB`: ask anew for the files of a job that did not succeed."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandParser

from jobs import actors, report, waiting
from jobs.models import Job
from jobs.submission import AlreadyActiveError
from reprocessing import requests
from reprocessing.management.commands.reprocess import GOOD_ENDS
from warehouse.commands import Refusal, answer


class Command(BaseCommand):
    help = "Asks anew for the files of a job that did not succeed, and for no others, with its reason and options."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=UUID, help="a job that failed, was cancelled or quarantined, or did a part")
        parser.add_argument("--wait", action="store_true", help="stay until the job is over or waits for a person")
        parser.add_argument("--as", dest="actor", help="the console user to act as (this account's name)")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *, job: UUID, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            former = Job.objects.select_related("plan").filter(pk=job).first()
            if former is None:
                raise Refusal(f"There is no job {job}.")
            try:
                asked = requests.ask_retry(settings.WAREHOUSE_URL, former, actor=actors.of_shell(actor))
            except (AlreadyActiveError, PermissionDenied) as error:
                raise Refusal(str(error)) from error
            if options["wait"]:
                asked = waiting.wait(asked)
            said.result = report.as_json(asked)
            for line in report.lines(asked):
                said.line(line)
            if options["wait"] and asked.state not in GOOD_ENDS:
                raise Refusal(asked.error or f"The job is {asked.state}.")
