"""`manage.py rollouts show|promote|pause|abort ID`: how a rollout stands, and what people do to it."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management.base import CommandParser

from audit.transitions import StateChangedError
from jobs import actors, answers
from jobs.models import Job
from reprocessing import planning, rollout_acts, rollout_report
from warehouse.commands import AnsweringCommand, Refusal, an_id, answer

ACTIONS = {
    "show": "its waves, their checks, and why it waits",
    "promote": "go on with the next wave, or try a stopped one again",
    "pause": "begin no further wave",
    "abort": "stop here and keep what is published",
}


class Command(AnsweringCommand):
    help = "Shows a rollout, or lets it go on, wait or stop."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for name, does in ACTIONS.items():
            action = actions.add_parser(name, help=does)
            action.add_argument("job", type=an_id)
            if name in ("promote", "abort"):
                action.add_argument("--reason", default="", help="why; needed past a failed check and for an abort")
            if name == "promote":
                action.add_argument("--all", action="store_true", help="go on to the end without pauses")
            if name == "abort":
                action.add_argument("--roll-back", action="store_true", help="plan the rollback of what is published")
            answers.offer_actor(action)

    def handle(self, *, action: str, job: UUID, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            known = Job.objects.select_related("plan", "requested_by")
            found = known.filter(pk=job, kind=planning.ROLLOUT).first()
            if found is None:
                raise Refusal(f"There is no rollout {job}.")
            try:
                _act(found, action, actors.of_shell(actor), options)
            except StateChangedError as error:
                raise Refusal(f"{error} It is {found.state}.") from error
            found = known.get(pk=job)
            said.result = rollout_report.as_json(found)
            for line in rollout_report.lines(found):
                said.line(line)


def _act(job: Job, action: str, user: User, options: dict[str, Any]) -> None:
    if action == "promote":
        act = rollout_acts.promote_all if options["all"] else rollout_acts.promote
        act(job, user, reason=options["reason"])
    elif action == "pause":
        rollout_acts.pause(job, user)
    elif action == "abort":
        rollout_acts.abort(job, user, reason=options["reason"], roll_back=options["roll_back"])
