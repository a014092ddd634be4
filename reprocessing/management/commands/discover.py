"""`manage.py discover`: what needs reprocessing, by cause, and what would be left out."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from reprocessing import requests
from warehouse import discovery, registry
from warehouse.commands import AnsweringCommand, Refusal, answer, demand_extracts, offer_json
from warehouse.connections import connect
from warehouse.discovery import AGES, LEFT_OUT, WHYS, Filter


class Command(AnsweringCommand):
    help = "Lists what needs reprocessing: failed, stuck and pending files, and runs with too many refused records."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--why", choices=WHYS, default="", help="only what was found for this reason")
        parser.add_argument("--extract", default="", metavar="TYPE", help="only this extract")
        parser.add_argument("--cause", default="", help="only this cause, by its mark")
        parser.add_argument("--age-of", choices=sorted(AGES), default="failed", help="the clock of the two ages")
        parser.add_argument("--older-than", type=float, metavar="HOURS", help="leave out what is newer")
        parser.add_argument("--newer-than", type=float, metavar="HOURS", help="leave out what is older")
        parser.add_argument("--limit", type=int, default=Filter.most, metavar="FILES", help="take at most this many")
        offer_json(parser)

    def handle(self, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            wanted = _filter(options)
            with connect(settings.WAREHOUSE_URL, purpose="discover") as connection:
                found = discovery.find(connection, registry.current(), wanted, requests.held_runs())
                taken = discovery.candidates(
                    connection, registry.current(), wanted, requests.held_runs(), only_taken=True
                )
            said.result = {
                **asdict(found),
                "ages": dict(found.ages),
                "take": [{"file": c.load_run_file_id, "key": c.s3_key, "run": str(c.load_run_id)} for c in taken],
            }
            for line in _lines(found):
                said.line(line)


def _filter(options: dict[str, Any]) -> Filter:
    """Raises Refusal for what cannot be meant."""
    demand_extracts(options["extract"])
    for name in ("older_than", "newer_than"):
        if options[name] is not None and not 0 <= options[name] <= 1_000_000:
            raise Refusal(f"--{name.replace('_', '-')} is no number of hours from 0 to 1,000,000.", code=2)
    if options["limit"] < 1:
        raise Refusal("--limit must be 1 or more.", code=2)
    hours = {name: options[name] for name in ("older_than", "newer_than") if options[name] is not None}
    return Filter(
        why=options["why"],
        extract=options["extract"],
        cause=options["cause"],
        age_of=options["age_of"],
        most=options["limit"],
        **{name: timedelta(hours=value) for name, value in hours.items()},
    )


def _lines(found: discovery.Found) -> list[str]:
    if not found.files:
        return ["Nothing needs reprocessing."]
    said = [f"{found.files:,} files found, {found.taken:,} of them would be taken."]
    said += [f"  left out, {code}: {number:,} ({LEFT_OUT[code]})" for code, number in found.left_out.items()]
    said += [
        f"  cause {c.cause}: {c.files:,} files, {c.taken:,} taken, {c.runs:,} runs: {c.told}" for c in found.causes
    ]
    return said
