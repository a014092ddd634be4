"""`manage.py roles [show | apply]`: the database roles of web, worker, sealer and owner."""

import re
from argparse import SUPPRESS
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection, transaction

from config import console_roles
from jobs import actors
from warehouse import registry, roles
from warehouse.commands import AnsweringCommand, Refusal, answer, offer_json, warehouse_url
from warehouse.connections import connect
from warehouse.roles import Names

PREFIX = re.compile(r"[a-z][a-z0-9_]{0,30}")


class Command(AnsweringCommand):
    help = "Prints or makes the database roles under which web, worker and sealer run, and what each may do."

    def add_arguments(self, parser: CommandParser) -> None:
        offer_json(parser)
        parser.add_argument("--prefix", default="restage", help="what the names of the roles begin with (restage)")
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        actions.add_parser("show", help="print the statements (this is done where no action is named)")
        actions.add_parser("apply", help="run them; the URLs must be those of a superuser")
        for action in actions.choices.values():
            action.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object and nothing else"
            )

    def handle(self, *, action: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if not PREFIX.fullmatch(options["prefix"]):
                raise Refusal("--prefix must be small letters, digits and _, beginning with a letter.", code=2)
            names = Names(options["prefix"])
            with connect(warehouse_url(), purpose="roles") as warehouse, connection.cursor() as cursor:
                made = list(roles.creation(names))
                of_console, of_warehouse = (
                    console_roles.statements(names),
                    roles.statements(warehouse, registry.current(), names),
                )
                said.result = {
                    "roles": list(names.all),
                    "console": [console_roles.text(cursor, each) for each in (*made, *of_console)],
                    "warehouse": [each.as_string(warehouse) for each in (*made, *of_warehouse)],
                    "applied": action == "apply",
                }
                if action == "apply":
                    actors.restage()  # a worker cannot make the account on whose behalf it asks
                    with transaction.atomic():
                        console_roles.run([*made, *of_console])
                    with warehouse.transaction():
                        for statement in (*made, *of_warehouse):
                            warehouse.execute(statement)
            self._tell(said, names, applied=action == "apply")

    def _tell(self, said: Any, names: Names, *, applied: bool) -> None:
        for place in () if applied else ("console", "warehouse"):
            said.line(f"-- in the database of the {place}")
            for statement in said.result[place]:
                said.line(f"{statement};")
        if applied:
            said.line(
                f"Granted to {', '.join(names.all)}. Give each a password (ALTER ROLE … PASSWORD …), start web as"
                f" {names.web}, worker and watch as {names.exec}, `audit seal --every 5` as {names.seal}, and migrate"
                f" as {names.owner}; after each update apply again."
            )
