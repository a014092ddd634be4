"""`manage.py loading list|suspend|resume|itself`: which extracts are not loaded now, and who says so."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from access import rights
from jobs import actors, answers
from monitoring.verdicts import suspending
from warehouse import suspensions
from warehouse.commands import Answer, AnsweringCommand, answer, demand_extracts
from warehouse.connections import connect


class Command(AnsweringCommand):
    help = "Lists, suspends and resumes the loading of extracts: new files of a suspended one stay where they are."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        answers.offer_actor(actions.add_parser("list", help="every extract that is suspended, or suspends itself"))
        does = {
            "suspend": "leave its new files where they are until somebody resumes it",
            "resume": "let its files be loaded again",
            "itself": "whether it is suspended as soon as a file of it is proven wrong",
        }
        for name, told in does.items():
            action = actions.add_parser(name, help=told)
            action.add_argument("extract", help="its name")
            if name == "itself":
                action.add_argument("how", choices=["on", "off"])
            action.add_argument("--reason", required=True, help="why; it is kept, and in the trail")
            answers.offer_actor(action)

    def handle(self, *, action: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            user, url = actors.of_shell(actor), settings.WAREHOUSE_URL
            if action == "list":
                rights.demand(user, rights.SEE)
                _list(said)
                return
            extract, reason = options["extract"], options["reason"]
            if action != "resume":  # also of one that nothing declares any more
                demand_extracts(extract)
            if action == "suspend":
                changed = suspending.suspend(url, extract, reason=reason, actor=user)
                said.line(f"The loading of {extract} is suspended{'' if changed else ' already'}.")
            elif action == "resume":
                suspending.resume(url, extract, why=reason, actor=user)
                said.line(f"The loading of {extract} goes on: the next load takes what is there.")
                changed = True
            else:
                on = options["how"] == "on"
                changed = suspending.let_suspend_itself(url, extract, on=on, why=reason, actor=user)
                does = "is suspended as soon as" if on else "goes on though"
                said.line(f"The loading of {extract} {does} a file of it is proven wrong.")
            said.result = {"extract": extract, "changed": changed}


def _list(said: Answer) -> None:
    with connect(settings.WAREHOUSE_URL, purpose="suspension") as connection:
        standing = suspensions.standing(connection)
        themselves = sorted(suspensions.suspending_themselves(connection))
    said.result = {
        "suspended": [
            {
                "extract": one.extract_type,
                "reason": one.reason,
                "by": one.suspended_by,
                "at": one.suspended_at.isoformat(),
                "file": one.load_run_file_id,
            }
            for one in standing.values()
        ],
        "suspend_themselves": themselves,
    }
    for one in standing.values():
        since = timezone.localtime(one.suspended_at)
        said.line(f"{one.extract_type} is suspended since {since:%Y-%m-%d %H:%M %Z}: {one.reason}")
    if themselves:
        said.line(f"Suspended as soon as a file is proven wrong: {', '.join(themselves)}.")
    if not standing:
        said.line("Every extract is loaded.")
