"""`manage.py downstream`: what core has not taken over yet, and the list of keys to merge again."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from psycopg import Connection

from jobs import actors, answers
from reprocessing import acts, merge_lists
from warehouse import downstream, registry
from warehouse.commands import AnsweringCommand, Refusal, answer, demand_extracts
from warehouse.connections import connect
from warehouse.registry import Extract


class Command(AnsweringCommand):
    help = "Lists what changed in staging since core last took it over, for each extract."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--extract", default="", metavar="TYPE", help="only this extract")
        parser.add_argument("--csv", action="store_true", help="print the re-merge list as CSV, keys as keyed hashes")
        parser.add_argument("--keys", action="store_true", help="with the keys in clear; needs the right, and is noted")
        answers.offer_actor(parser)

    def handle(self, *, extract: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            known = registry.current()
            demand_extracts(extract)
            if options["csv"] == options["json"] is True or (options["keys"] and not options["csv"]):
                raise Refusal("--csv prints a table of its own: not with --json; --keys only with --csv.", code=2)
            with connect(settings.WAREHOUSE_URL, purpose="downstream") as connection:
                found = [e for e in downstream.look(connection, known) if extract in ("", e.extract_type)]
                if options["csv"]:
                    chosen = [known[extract]] if extract else list(known.extracts)
                    self._export(connection, chosen, actor, in_clear=options["keys"])
                    return
            said.result = {
                "changes": sum(entry.changes for entry in found),
                "deleted": sum(entry.deleted for entry in found),
                "extracts": [asdict(entry) for entry in found],
            }
            if not found:
                said.line("Core has taken over everything that is known to have changed.")
            for entry in found:
                said.line(
                    f"{entry.extract_type}: {entry.changes:,} changes of keys stale since {entry.since:%Y-%m-%d %H:%M}"
                    f" ({entry.changed:,} changed, {entry.deleted:,} deleted), of {len(entry.load_runs):,} load runs"
                )

    def _export(self, connection: Connection, extracts: list[Extract], actor: str | None, *, in_clear: bool) -> None:
        if in_clear:
            user = actors.of_shell(actor)
            acts.note_export(extracts, actor=user)
        for line in merge_lists.lines(connection, extracts, in_clear=in_clear):
            self.stdout.write(line.rstrip("\r\n"))
