"""`manage.py cleanup`: remove the archive sets that have expired and that nothing keeps."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from archives import cleaning
from jobs import actors, answers, waiting
from warehouse.commands import AnsweringCommand, Refusal, answer

REASON = "Asked for on the command line"


class Command(AnsweringCommand):
    help = "Removes the archive sets that have expired; what is on hold, in use or the only way back stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--older-than", type=int, metavar="N", help="only what was archived more than N days ago")
        parser.add_argument("--reason", default=REASON, help="why, for the trail")
        parser.add_argument("--dry-run", action="store_true", help="list what would go and what stays, and stop there")
        answers.offer_wait(parser)

    def handle(self, *, older_than: int | None, reason: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if older_than is not None and older_than < 0:
                raise Refusal("--older-than must be 0 or more.", code=2)
            job = cleaning.ask(
                settings.WAREHOUSE_URL,
                reason=reason.strip() or REASON,
                actor=actors.of_shell(actor),
                now=timezone.now(),
                older_than=older_than,
                dry_run=options["dry_run"],
            )
            if options["wait"] or options["dry_run"]:  # a dry run is of use only with its result
                job = waiting.wait(job)
            answers.tell(said, job)
            said.result["count"] = cleaning.count(job)
            said.result["removed"] = (job.outcome or {}).get("removed", 0)
            if options["wait"] and job.state not in answers.GOOD_ENDS:
                raise Refusal(job.error or f"The job is {job.state}.")
