"""`manage.py ps`: the health of every process and queue."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from monitoring import processes
from monitoring.processes import Health, Process
from warehouse.commands import AnsweringCommand, Refusal, answer, offer_json


class Command(AnsweringCommand):
    help = "Shows every worker, watcher and web process, both databases and the queue; exit code 1 where one is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        offer_json(parser)

    def handle(self, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            found = processes.look(timezone.now())
            said.result |= found.as_json()
            for line in lines(found):
                said.line(line)
            if found.wrong:
                raise Refusal(" ".join(found.wrong))


def _state(process: Process) -> str:
    """A web process speaks when it is asked: that it is quiet says nothing."""
    if process.alive:
        return "alive"
    return "quiet" if process.kind == "web" else "silent"


def lines(found: Health) -> list[str]:
    """In words, a line for each process, server and queue."""
    told = [
        f"{process.kind:10} {process.name:32} {_state(process):7}"
        f" last seen {(found.at - process.seen).total_seconds():,.0f} s ago"
        for process in found.processes
    ]
    for server in found.servers:
        state = f"up      PostgreSQL {server.version}, {server.sessions:,} of {server.most_sessions:,} sessions"
        told.append(f"{'database':10} {server.name:32} {state if server.version else 'away'}")
    if queue := found.queue:
        oldest = f", the first for {queue.oldest.total_seconds():,.0f} s" if queue.oldest else ""
        told.append(
            f"{'queue':10} {queue.waiting:,} waiting{oldest}; {queue.running:,} under way; {queue.lapsed:,} without"
            f" their worker; {queue.rings:,} messages"
        )
    if found.disk:
        told.append(f"{'disk':10} {found.disk[0] / 1e9:,.1f} GB free of {found.disk[1] / 1e9:,.1f}")
    return told + [f"notice     {notice}" for notice in found.notices]
