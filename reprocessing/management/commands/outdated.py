"""`manage.py outdated`: which live files are out of date, because of which component, and what would mend it."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from reprocessing import requests
from warehouse import freshness, redelivery, registry
from warehouse.commands import AnsweringCommand, answer, demand_extracts, offer_json
from warehouse.connections import connect
from warehouse.freshness import Found, Group

WAYS = {
    "nothing": "nothing to do",
    "raw": "fold the raw records again",
    "files": "read the source files again",
    "by hand": "key the staging table anew by hand",
}


class Command(AnsweringCommand):
    help = "Lists the live files whose rows were built with another declaration, code or content than is there now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--extract", default="", metavar="TYPE", help="only this extract")
        parser.add_argument(
            "--sources", action="store_true", help="compare the files at the source first; reads every one of them"
        )
        offer_json(parser)

    def handle(self, *, extract: str, sources: bool, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            known = registry.current()
            demand_extracts(extract)
            with connect(settings.WAREHOUSE_URL, purpose="outdated") as connection:
                if sources:
                    compared = redelivery.compare(connection, known, extract=extract)
                    said.result["sources"] = {
                        "files": compared.files,
                        "not_loaded": compared.not_loaded,
                        "verdicts": dict(compared.verdicts),
                    }
                    parts = "".join(f", {number:,} {name}" for name, number in sorted(compared.verdicts.items()))
                    said.line(f"{compared.files:,} files compared{parts}; {compared.not_loaded:,} not loaded yet.")
                found = freshness.find(connection, known, extract=extract, held=requests.held_runs())
            said.result |= _as_json(found)
            for line in _lines(found):
                said.line(line)


def _as_json(found: Found) -> dict[str, Any]:
    return {
        "live": found.live,
        "current": found.current,
        "outdated": found.outdated,
        "unknown": found.unknown,
        "undeclared": found.undeclared,
        "groups": [_group(group) for group in found.groups],
        "unknowns": [_group(group) for group in found.unknowns],
        "notes": [_group(group) for group in found.notes],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "group": group.mark,
        "extract": group.extract,
        "differences": list(group.told),
        "way": group.way,
        "files": group.files,
        "taken": group.taken,
        "load_runs": group.runs,
        "records": group.records,
    }


def _lines(found: Found) -> list[str]:
    head = (
        f"{found.live:,} live files = {found.current:,} current + {found.outdated:,} out of date"
        f" + {found.unknown:,} unknown + {found.undeclared:,} undeclared."
    )
    listed = [*found.groups, *found.unknowns, *found.notes]
    return [head, *(f"  {g.extract}: {g.files:,} files: {'; '.join(g.told)}: {WAYS[g.way]}" for g in listed)]
