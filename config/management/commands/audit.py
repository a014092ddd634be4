"""`manage.py audit verify` · `seal` · `export`: the trail from the command line."""

import sys
import time
from typing import Any

from django.core.management.base import CommandParser

from audit import export, sealing, trail, verification
from jobs import actors, answers
from warehouse.commands import AnsweringCommand, Refusal, answer, offer_json

MOST_SECONDS = 3600


class Command(AnsweringCommand):
    help = "The audit trail: verify that nothing of it was changed, seal what is new, or export it."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        verify = acts.add_parser("verify", help="compare every event with its seal and with the heads kept elsewhere")
        offer_json(verify)
        seal = acts.add_parser("seal", help="seal what is new now; a worker does it every few seconds")
        seal.add_argument("--every", type=float, metavar="SECONDS", help="go on until it is stopped")
        offer_json(seal)
        exported = acts.add_parser("export", help="print events as CSV or JSON lines, the oldest first")
        exported.add_argument("--format", choices=list(export.FORMATS), default="jsonl")
        for name, told in trail.FILTERS.items():
            exported.add_argument(f"--{name.replace('_', '-')}", default="", help=told)
        answers.offer_actor(exported)

    def handle(self, *, act: str, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if act == "verify":
                verdict = verification.verify()
                said.result = verdict.as_json()
                for found in verdict.findings:
                    said.line(f"{found.kind}: {found.told}")
                if not verdict.whole:
                    raise Refusal(f"The trail is not whole: {len(verdict.findings):,} findings.")
                said.line(
                    f"The trail is whole: {verdict.events:,} events in {verdict.seals:,} seals;"
                    f" {verdict.unsealed:,} are too new to be sealed. Head {verdict.head}."
                )
            elif act == "seal":
                every = options["every"]
                if every is not None and not 1 <= every <= MOST_SECONDS:
                    raise Refusal(f"--every must be a number of seconds from 1 to {MOST_SECONDS}.", code=2)
                while every and sealing.seal():
                    time.sleep(every)
                done = sealing.seal()
                said.result = {"events": done.seal.events if done.seal else 0, "lacking": done.lacking}
                said.line(f"{said.result['events']:,} events sealed.")
                for place, why in done.lacking.items():
                    said.line(f"{place} could not be told ({why}); it is tried again with the next seal.")
            else:
                self._export(options)

    def _export(self, options: dict[str, Any]) -> None:
        chosen = trail.Filter(**{name: options[name] for name in trail.FILTERS})
        if chosen.problems:
            raise Refusal(" ".join(chosen.problems), code=2)
        events = export.begin(chosen, actor=actors.of_shell(options["actor"]), form=options["format"])
        for line in export.FORMATS[options["format"]].lines(events):
            sys.stdout.write(line)
