"""`manage.py backups [take]`: the base backups of the embedded server and how far their WAL goes."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from archives import backing_up, copies
from jobs import actors, answers
from warehouse.amounts import megabytes, things
from warehouse.commands import Answer, AnsweringCommand, answer, warehouse_url
from warehouse.connections import connect


class Command(AnsweringCommand):
    help = "Lists the base backups and the moments that can be recovered; `take` takes and verifies a new one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", nargs="?", choices=["list", "take"], default="list")
        answers.offer_wait(parser)

    def handle(self, *, act: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if act == "take":
                job = backing_up.ask(actors.of_shell(actor), reason="By command")
                answers.tell_asked(said, job, wait=options["wait"])
            else:
                _list(said)


def _list(said: Answer) -> None:
    folder = backing_up.demand()
    known = folder.listed()
    with connect(warehouse_url(), purpose="backups") as connection:
        oldest, newest, loss = copies.window(connection, timezone.now())
    said.result = {
        "backups": [backing_up.as_json(backup) for backup in known],
        "oldest_point": oldest,
        "newest_point": newest,
        "loss_window_seconds": loss.total_seconds() if loss else None,
        "missing_segment": folder.missing(known[-1]) if known else "",
        "wal_bytes": folder.wal_bytes(),
    }
    for backup in known:
        said.line(f"{backup.label}: {megabytes(backup.bytes)}, ended {backup.ended_at:%Y-%m-%d %H:%M:%S} UTC")
    said.line(f"{things(len(known), 'base backup')}; WAL is kept up to {newest or 'no moment'}")
