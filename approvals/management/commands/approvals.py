"""`manage.py approvals`: what waits for a decision, and what was let through and waits for its review."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from approvals import breaking_glass, gate, inbox_rows
from warehouse.commands import AnsweringCommand, answer, offer_json


class Command(AnsweringCommand):
    help = "Lists what waits for a decision, oldest first. Deciding is a person's act: no command approves."

    def add_arguments(self, parser: CommandParser) -> None:
        offer_json(parser)

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        with answer(self, as_json=options["json"]) as said:
            waiting = [inbox_rows.as_json(request, now) for request in gate.waiting()]
            to_review: list[dict[str, Any]] = [
                {
                    "job": str(one.request.job_id),
                    "by": one.by.get_username(),
                    "reason": one.reason,
                    "due": one.due.isoformat(),
                    "overdue": one.due < now,
                }
                for one in breaking_glass.open_ones()
            ]
            said.result = {"waiting": waiting, "emergencies_to_review": to_review}
            for row in waiting:
                said.line(f"{row['job']}  {row['kind']} asked by {row['asked_by']}: {row['standing']}")
                said.line(f"  {' '.join(row['why'])} Open until {_told(row['open_until'])}.")
            for one in to_review:
                late = ", overdue" if one["overdue"] else ""
                said.line(f"{one['job']}  let through by {one['by']}: to be reviewed until {_told(one['due'])}{late}")
            if not waiting and not to_review:
                said.line("Nothing waits for a decision.")


def _told(moment: str) -> str:
    """By the clock of the console, which is named."""
    return f"{timezone.localtime(datetime.fromisoformat(moment)):%Y-%m-%d %H:%M %Z}"
