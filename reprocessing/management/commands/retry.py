"""`manage.py retry JOB`: ask anew for the files of a job that did not succeed."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser

from jobs import actors, answers
from jobs.models import Job
from reprocessing import requests
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer


class Command(AnsweringCommand):
    help = "Asks anew for the files of a job that did not succeed, and for no others, with its reason and options."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", type=an_id, help="a job that failed, was cancelled or quarantined, or did a part")
        parser.add_argument(
            "--past-blackout", default="", metavar="REASON", help="why it cannot wait for a blackout's end"
        )
        answers.offer_wait(parser)

    def handle(self, *, job: UUID, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            former = Job.objects.select_related("plan").filter(pk=job).first()
            if former is None:
                raise Refusal(f"There is no job {job}.")
            asked = requests.ask_retry(
                settings.WAREHOUSE_URL, former, actor=actors.of_shell(actor), past_blackout=options["past_blackout"]
            )
            answers.tell_asked(said, asked, wait=options["wait"])
