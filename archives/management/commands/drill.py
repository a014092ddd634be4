"""`manage.py drill`: try the rungs of the recovery ladder now."""

import secrets
from typing import Any

from django.core.management.base import CommandParser

from archives import drills
from jobs import actors, answers
from warehouse import proofs
from warehouse.commands import AnsweringCommand, answer, warehouse_url
from warehouse.connections import connect


class Command(AnsweringCommand):
    help = "Restores an archive set and recovers a moment, each chosen by chance, aside; compares and times them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, help="decides what is tried, to try the same again")
        answers.offer_wait(parser)

    def handle(self, *, seed: int | None, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            chosen = secrets.randbits(32) if seed is None else seed
            job = drills.ask(actors.of_shell(actor), reason="Drill by command", seed=chosen)
            try:
                answers.tell_asked(said, job, wait=options["wait"])
            finally:
                with connect(warehouse_url(), purpose="drill") as connection:
                    found = proofs.of_job(connection, job.pk)
                said.result |= {"seed": chosen, "proofs": [proof.as_json() for proof in found]}
            for proof in found:
                said.line(f"  {proof.rung}: {proof.told} {proof.seconds:.1f} s")
