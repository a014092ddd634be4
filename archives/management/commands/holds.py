"""`manage.py holds list|place|release`: what keeps an archive set or a before-image from being removed."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser

from access import rights
from archives import holding
from archives.holding import BEFORE_IMAGE, SET
from jobs import actors, answers
from warehouse.amounts import things
from warehouse.commands import Answer, AnsweringCommand, Refusal, an_id, answer
from warehouse.connections import connect
from warehouse.holds import Hold

KINDS = {"set": SET, "job": BEFORE_IMAGE}
NAMED = {"set": "archive set", "job": "before-image of job"}


class Command(AnsweringCommand):
    help = "Lists, places and releases holds: nothing removes what one stands on, whatever its expiry."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        answers.offer_actor(actions.add_parser("list", help="every hold that stands"))
        for name, does in {"place": "place a hold", "release": "release one; others on the same thing stay"}.items():
            action = actions.add_parser(name, help=does)
            thing = action.add_mutually_exclusive_group(required=True)
            thing.add_argument("--set", type=an_id, help="of this archive set")
            thing.add_argument("--job", type=an_id, help="of the before-image of this job")
            if name == "release":
                action.add_argument("hold", type=int, help="its number, as `holds list` says")
            action.add_argument("--reason", required=True, help="why; it is kept with the hold and in the trail")
            answers.offer_actor(action)

    def handle(self, *, action: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            user = actors.of_shell(actor)
            rights.demand(user, rights.SEE if action == "list" else rights.HOLD)
            if action == "list":
                _list(said)
                return
            reason = options["reason"].strip()
            if not reason:
                raise Refusal("--reason is empty: say why. Nothing was changed.", code=2)
            name, thing = next((name, options[name]) for name in KINDS if options[name])
            if action == "place":
                hold = holding.place(settings.WAREHOUSE_URL, KINDS[name], thing, reason=reason, actor=user)
                said.line(f"Hold {hold} stands on {NAMED[name]} {thing}: nothing removes it until that is released.")
            else:
                hold = options["hold"]
                holding.release(settings.WAREHOUSE_URL, KINDS[name], thing, hold, why=reason, actor=user)
                said.line(f"Hold {hold} on {NAMED[name]} {thing} is released.")
            said.result = {"hold": hold, name: str(thing), "stands": action == "place"}


def _list(said: Answer) -> None:
    with connect(settings.WAREHOUSE_URL, purpose="hold") as connection:
        found = [(name, *one) for name, kind in KINDS.items() for one in kind.holds.standing(connection)]
    said.result = {"holds": [_as_json(*one) for one in found]}
    for name, thing, hold in found:
        said.line(
            f"{hold.hold_id} on {NAMED[name]} {thing}, by {hold.placed_by} on {hold.placed_at:%Y-%m-%d}: {hold.reason}"
        )
    said.line(f"{things(len(found), 'hold')} {'stands' if len(found) == 1 else 'stand'}")


def _as_json(name: str, thing: UUID, hold: Hold) -> dict[str, Any]:
    return {
        "hold": hold.hold_id,
        name: str(thing),
        "reason": hold.reason,
        "by": hold.placed_by,
        "at": hold.placed_at.isoformat(),
    }
