"""`manage.py schedules [list | run NAME | pause NAME | resume NAME]`."""

from argparse import SUPPRESS
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from audit.transitions import StateChangedError
from jobs import actors
from reprocessing import askers, schedules, slots
from reprocessing.asking_models import Schedule, Slot
from reprocessing.slots import NoScheduleError
from warehouse.commands import AnsweringCommand, Refusal, answer, offer_json


class Command(AnsweringCommand):
    help = "Lists schedules, runs one now, pauses or resumes one."

    def add_arguments(self, parser: CommandParser) -> None:
        offer_json(parser)
        actions = parser.add_subparsers(dest="action", metavar="ACTION")
        actions.add_parser("list", help="every schedule with its next time (this is done where no action is named)")
        for name, does in (("run", "ask once, now"), ("pause", "stop asking"), ("resume", "ask again")):
            action = actions.add_parser(name, help=does)
            action.add_argument("name", help="the schedule's name")
            action.add_argument("--as", dest="actor", help="the console's account to act as (named like yours)")
            if name == "pause":
                action.add_argument("--reason", required=True, help="why; the page shows it")
            if name == "run":
                action.add_argument("--past-blackout", default="", metavar="REASON", help="why it cannot wait")
        for action in actions.choices.values():
            action.add_argument(
                "--json", action="store_true", default=SUPPRESS, help="print one JSON object and nothing else"
            )

    def handle(self, *, action: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if action in (None, "list"):
                found = [_as_json(schedule) for schedule in Schedule.objects.select_related("owner")]
                said.result = {"schedules": found}
                for one in found:
                    said.line(f"{one['name']}: {one['state']}, {one['expression']} {one['zone']}, next {one['next']}")
                if not found:
                    said.line("There is no schedule.")
                return
            schedule = Schedule.objects.select_related("owner").filter(name=options["name"]).first()
            if schedule is None:
                raise Refusal(f"There is no schedule {options['name']}.")
            try:
                said.result = getattr(self, f"_{action}")(schedule, options)
            except StateChangedError as error:
                raise Refusal(f"The schedule is {schedule.state}; nothing was changed.") from error
            said.line(", ".join(f"{name}: {value}" for name, value in said.result.items() if value))
            if said.result.get("came") in (Slot.Came.FAILED, Slot.Came.SKIPPED):
                raise Refusal(str(said.result["why"]))

    def _run(self, schedule: Schedule, options: dict[str, Any]) -> dict[str, Any]:
        actor = actors.of_shell(options["actor"])
        slot = schedules.run_now(schedule, actor, timezone.now(), past_blackout=options["past_blackout"])
        return {"schedule": schedule.name, "came": slot.came, "why": slot.why, "job": slot.job_id and str(slot.job_id)}

    def _pause(self, schedule: Schedule, options: dict[str, Any]) -> dict[str, Any]:
        if not options["reason"].strip():
            raise Refusal("--reason is empty: say why.", code=2)
        askers.pause(schedule, actors.of_shell(options["actor"]), reason=options["reason"].strip())
        return _as_json(schedule)

    def _resume(self, schedule: Schedule, options: dict[str, Any]) -> dict[str, Any]:
        askers.resume(schedule, actors.of_shell(options["actor"]), until=timezone.now())
        return _as_json(schedule)


def _as_json(schedule: Schedule) -> dict[str, Any]:
    try:
        following = next(iter(slots.next_times(schedule.expression, schedule.zone, timezone.now(), 1)), None)
    except NoScheduleError:
        following = None
    last = schedule.slots.first()
    return {
        "name": schedule.name,
        "state": schedule.state,
        "why": schedule.why,
        "expression": schedule.expression,
        "zone": schedule.zone,
        "owner": schedule.owner.get_username(),
        "dry_run": schedule.dry_run,
        "next": following.isoformat() if following and schedule.state == Schedule.State.ACTIVE else None,
        "last": {"slot": last.slot.isoformat(), "came": last.came, "why": last.why} if last else None,
    }
