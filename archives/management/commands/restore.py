"""`manage.py restore SET`: put an archive set back."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser

from archives import restore_report, restore_requests
from archives.restore_forms import mapping
from archives.restore_requests import Wanted
from jobs import actors, answers
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer, demand_tables
from warehouse.restore_classes import ON_NEWER, SKIP
from warehouse.restoring import INTO, STAGING


class Command(AnsweringCommand):
    help = "Shows what putting an archive set back would do, key by key, and does it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("set", type=an_id, nargs="?", help="the archive set")
        parser.add_argument("--run", type=an_id, help="in place of a set: the newest one of this load run")
        parser.add_argument("--reason", default="restored from the command line", help="why; a reviewer reads it")
        parser.add_argument("--table", nargs="+", default=[], metavar="TABLE", help="only these tables of the set")
        parser.add_argument("--into", choices=INTO, default=STAGING, help="staging, or a new table beside it")
        parser.add_argument(
            "--on-newer", choices=ON_NEWER, default=SKIP, help="what of keys that a newer load run owns (skip)"
        )
        parser.add_argument(
            "--map",
            nargs="+",
            default=[],
            metavar="OLD=NEW",
            help="columns that are named otherwise today; OLD= leaves",
        )
        parser.add_argument("--dry-run", action="store_true", help="show exactly what it would do, and stop there")
        answers.offer_wait(parser)

    def handle(self, *, run: UUID | None, reason: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if (options["set"] is None) == (run is None):
                raise Refusal("Name the set, or its load run with --run.", code=2)
            if not reason.strip():
                raise Refusal("--reason is empty: say why.", code=2)
            try:
                renamed = mapping(options["map"])
            except ValueError as error:
                raise Refusal(f"--map: {error}", code=2) from error
            tables = demand_tables(*options["table"])
            chosen = restore_requests.newest(settings.WAREHOUSE_URL, run, tables) if run else options["set"]
            wanted = Wanted(chosen, tuple(tables), options["into"], options["on_newer"], renamed)
            job = restore_requests.ask(
                settings.WAREHOUSE_URL,
                wanted,
                reason=reason.strip(),
                actor=actors.of_shell(actor),
                dry_run=options["dry_run"],
            )
            try:
                answers.tell_asked(said, job, wait=options["wait"])
            finally:
                job.refresh_from_db()
                said.result |= restore_report.as_json(job)
                for line in restore_report.lines(job):
                    said.line(line)
