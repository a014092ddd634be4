"""`manage.py ladder RUN|--table TABLE`: every way back of a load run or a table, and what each gives back."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.utils import timezone

from archives import ladder
from warehouse import registry, rung_sources
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer, demand_tables, offer_json, warehouse_url
from warehouse.connections import connect
from warehouse.rung_sources import Scope


class Command(AnsweringCommand):
    help = "Tells of each rung of the recovery ladder whether it holds, what it gives back, until when and how fast."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=an_id, nargs="?", help="a load run")
        parser.add_argument("--table", default="", help="in place of a run, or of it: a table of staging")
        offer_json(parser)

    def handle(self, *, run: UUID | None, table: str, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if run is None and not table:
                raise Refusal("Name a load run, or a table with --table.", code=2)
            scope = Scope(run, demand_tables(table)[0] if table else "")
            with connect(warehouse_url(), purpose="ladder") as connection:
                if run and not rung_sources.run_is_known(connection, run):
                    raise Refusal(f"There is no load run {run}.")
                rungs = ladder.of(connection, registry.current(), scope, timezone.now())
            said.result = {"run": run, "table": scope.table or None, "rungs": [rung.as_json() for rung in rungs]}
            for rung in rungs:
                rows = "rows not counted" if rung.rows is None else f"{rung.rows:,} rows"
                said.line(f"{'yes' if rung.can else 'no '} {rung.title}: {rows}. {rung.told}")
                if rung.proved:
                    said.line(f"      proved {rung.proved.at:%Y-%m-%d}: {rung.proved.told} {rung.proved.seconds:.1f} s")
                if rung.failed:
                    said.line(f"      FAILED {rung.failed.at:%Y-%m-%d}: {rung.failed.told}")
