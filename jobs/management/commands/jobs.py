"""`manage.py jobs list`, `jobs show ID` and `jobs cancel ID`."""

from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from access import rights
from audit.transitions import StateChangedError
from jobs import actors, answers, kinds, submission
from jobs.listing import Wanted, filtered
from jobs.models import Job
from warehouse.amounts import things
from warehouse.commands import Answer, AnsweringCommand, Refusal, a_day, an_id, answer


class Command(AnsweringCommand):
    help = "Lists, shows or cancels jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listed = actions.add_parser("list", help="the newest first")
        listed.add_argument("--state", choices=Job.State.values, default="", help="only those in this state")
        listed.add_argument(
            "--kind", choices=[name for name, _title in kinds.titles()], default="", help="only of this kind"
        )
        listed.add_argument("--since", type=a_day, metavar="D", help="asked for on this day or later")
        listed.add_argument("--until", type=a_day, metavar="D", help="asked for on this day or before")
        listed.add_argument("--limit", type=int, default=50, metavar="N", help="so many at most (default: 50)")
        answers.offer_actor(listed)
        for name, does in (("show", "what it is, and how far"), ("cancel", "stop it before it publishes")):
            action = actions.add_parser(name, help=does)
            action.add_argument("job", type=an_id)
            answers.offer_actor(action)

    def handle(self, *, action: str, actor: str | None, job: UUID | str = "", **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if action == "list":
                _list(said, options)
                return
            found = Job.objects.select_related("plan", "requested_by").filter(pk=job).first()
            if found is None:
                raise Refusal(f"There is no job {job}.")
            if action == "cancel":
                user = actors.of_shell(actor)
                if not rights.may(user, rights.CANCEL):
                    raise Refusal(f"{user} may not {rights.CANCEL}.")
                try:
                    submission.cancel(found, user)
                except StateChangedError as error:
                    raise Refusal(f"It cannot be cancelled: it is {found.state}.") from error
                found.refresh_from_db()
            answers.tell(said, found)
            if action == "cancel" and found.active:
                said.line("Its worker has been asked to stop; nothing more is published.")


def _list(said: Answer, options: dict[str, Any]) -> None:
    if options["limit"] < 1:
        raise Refusal("--limit must be 1 or more.", code=2)
    found = filtered(Wanted(**{name: options[name] for name in ("state", "kind", "since", "until")}))
    count = found.count()
    jobs = list(found.select_related("plan", "requested_by").order_by("-created_at", "pk")[: options["limit"]])
    said.result = {"count": count, "jobs": [_as_json(job) for job in jobs]}
    for job in jobs:
        said.line(f"{job.created_at:%Y-%m-%d %H:%M} {job.pk} {job.kind}: {job.state}, asked for by {job.requested_by}")
    said.line(f"{things(count, 'job')}{f', the newest {len(jobs):,} listed' if len(jobs) < count else ''}")


def _as_json(job: Job) -> dict[str, Any]:
    return {
        "job": str(job.pk),
        "kind": job.kind,
        "state": job.state,
        "by": job.requested_by.get_username(),
        "at": job.created_at.isoformat(),
        "reason": job.plan.reason,
    }
