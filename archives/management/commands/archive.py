"""`manage.py archive RUN --reason TEXT`: keep a copy of the rows that a load run owns in staging."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from archives import keeping
from jobs import actors, answers
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer, demand_tables


class Command(AnsweringCommand):
    help = "Keeps a copy of the rows that a load run owns in staging now, counted and with a checksum."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=an_id, help="the load run")
        parser.add_argument("--reason", required=True, help="why; it is kept with the rows")
        parser.add_argument(
            "--retention-days",
            type=int,
            metavar="N",
            help="keep it for so many days (90, unless a rule says otherwise)",
        )
        parser.add_argument("--tables", nargs="+", default=[], metavar="TABLE", help="only these tables of staging")
        parser.add_argument("--cold", action="store_true", help="move the rows to files of the cold tier")
        parser.add_argument("--dry-run", action="store_true", help="show what would be kept, and stop there")
        answers.offer_wait(parser)

    def handle(self, *, run: UUID, reason: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if not reason.strip():
                raise Refusal("--reason is empty: say why.", code=2)
            job = keeping.ask(
                settings.WAREHOUSE_URL,
                run,
                reason=reason.strip(),
                actor=actors.of_shell(actor),
                now=timezone.now(),
                tables=demand_tables(*options["tables"]),
                retention_days=options["retention_days"],
                cold=options["cold"],
                dry_run=options["dry_run"],
            )
            answers.tell_asked(said, job, wait=options["wait"])
