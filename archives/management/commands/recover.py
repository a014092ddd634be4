"""`manage.py recover --table T --at TIME|--before-job JOB`: rows as they were, from a base backup and its WAL."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from archives import recovering
from archives.recovering import Asked
from jobs import actors, answers
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer, demand_tables, warehouse_url
from warehouse.connections import connect


class Command(AnsweringCommand):
    help = "Recovers rows of a table as of a moment by a throw-away server, beside staging or as a set to restore."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--table", required=True, help="a table of staging, without its schema")
        when = parser.add_mutually_exclusive_group(required=True)
        when.add_argument("--at", metavar="TIME", help="the moment, ISO 8601; without a zone: the console's")
        when.add_argument("--before-job", type=an_id, metavar="JOB", help="just before the first effect of this job")
        parser.add_argument("--load-run", type=an_id, metavar="RUN", help="only the rows that this load run owned then")
        parser.add_argument(
            "--into",
            choices=recovering.INTO,
            default=recovering.SIDE,
            help="a table beside staging, or an archive set to restore",
        )
        parser.add_argument("--reason", default="recovery", help="why; the reviewer reads it")
        parser.add_argument("--dry-run", action="store_true", help="count and compare only")
        answers.offer_wait(parser)

    def handle(self, *, table: str, at: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            when = options["before_job"] or _moment(at)
            asked = Asked(demand_tables(table)[0], when, options["load_run"], options["into"])
            with connect(warehouse_url(), purpose="plan") as connection:
                job = recovering.ask(
                    connection,
                    asked,
                    reason=options["reason"].strip() or "recovery",
                    actor=actors.of_shell(actor),
                    now=timezone.now(),
                    dry_run=options["dry_run"],
                )
            try:
                answers.tell_asked(said, job, wait=options["wait"])
            finally:
                job.refresh_from_db()
                said.result |= recovering.as_json(job)


def _moment(text: str) -> datetime:
    """Raises Refusal."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"--at {text} is not a time. Write it as 2026-01-31T14:05:00+13:00.", code=2) from None
    return found if found.tzinfo else timezone.make_aware(found)
