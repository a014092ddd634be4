"""`manage.py lineage`: where a row comes from, and what of a load run or a file stands today."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from jobs import actors, answers
from lineage import forward, report, tracing
from warehouse import registry
from warehouse.commands import Answer, AnsweringCommand, Refusal, an_id, answer, demand_tables
from warehouse.lineage import ALIVE


class Command(AnsweringCommand):
    help = "Follows a row back to file, line, load run, jobs and people, or a load run or a file to the rows of today."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("table", nargs="?", help="a table of staging")
        parser.add_argument("key", nargs="*", help="the parts of the natural key, in the order of the declaration")
        parser.add_argument("--run", type=an_id, help="in place of a row: what of this load run stands today")
        parser.add_argument("--file", type=int, help="the same of one file, by its load_run_file_id")
        parser.add_argument(
            "--check", action="store_true", help="read the file at its source and compare the record there with raw"
        )
        parser.add_argument("--purpose", default="asked from the command line", help="why; the trail keeps it")
        answers.offer_actor(parser)

    def handle(self, *, table: str | None, key: list[str], actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            run, file = options["run"], options["file"]
            if sum(one is not None for one in (table, run, file)) != 1:
                raise Refusal(
                    "Name a table and a natural key, or a load run with --run, or a file with --file.", code=2
                )
            user = actors.of_shell(actor)
            if table is not None:
                self._trace(said, table, key, user, options)
                return
            if run is not None:
                found = forward.of_run(settings.WAREHOUSE_URL, run, actor=user)
            else:
                found = forward.of_file(settings.WAREHOUSE_URL, file, actor=user)
            said.result = report.forward_json(found)
            for line in report.forward_lines(found):
                said.line(line)

    def _trace(self, said: Answer, table: str, key: list[str], user: Any, options: dict[str, Any]) -> None:
        (bare,) = demand_tables(table)
        extract = registry.current().of_table(bare)
        parts = extract.natural_key
        if len(key) != len(parts):
            raise Refusal(
                f"The natural key of stg.{bare} has {len(parts)} parts, {' '.join(parts)}; {len(key)} were given.",
                code=2,
            )
        if not options["purpose"].strip():
            raise Refusal("--purpose is empty: say why.", code=2)
        story = tracing.of_key(
            settings.WAREHOUSE_URL,
            extract,
            dict(zip(parts, key, strict=True)),
            purpose=options["purpose"].strip(),
            actor=user,
            check_file=options["check"],
        )
        said.result = report.as_json(story)
        for line in report.lines(story):
            said.line(line)
        if story.trace.standing != ALIVE:
            raise Refusal(report.why_not(story))
