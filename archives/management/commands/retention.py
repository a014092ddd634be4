"""`manage.py retention list|set|drop`: for how long archive sets are kept."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from access import rights
from archives import acts, retaining
from jobs import actors, answers
from warehouse import archive_retention
from warehouse.amounts import things
from warehouse.archive_retention import DEFAULT_DAYS, LEAST_DAYS, Rule
from warehouse.commands import Answer, AnsweringCommand, Refusal, answer, demand_tables
from warehouse.connections import connect


class Command(AnsweringCommand):
    help = "Lists, sets and removes the rules of retention; sets that are there keep their expiry unless you say so."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        answers.offer_actor(actions.add_parser("list", help="the rules, the most specific first"))
        setting = actions.add_parser("set", help="set a rule")
        setting.add_argument("days", type=int, help=f"for how many days; {LEAST_DAYS} at least")
        setting.add_argument("--why", required=True, help="why; it is kept with the rule")
        setting.add_argument("--existing", action="store_true", help="for sets that are there too: a job")
        _offer_sets(setting)
        answers.offer_wait(setting)
        dropping = actions.add_parser("drop", help="remove a rule")
        _offer_sets(dropping)
        answers.offer_actor(dropping)

    def handle(self, *, action: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            user = actors.of_shell(actor)
            rights.demand(user, rights.CLEAN_UP)
            if action == "list":
                _list(said)
                return
            (table,) = demand_tables(options["table"]) if options["table"] else ("",)
            rule = {"table": table, "words": options["words"].strip(), "actor": user}
            if action == "set":
                _set(said, rule, options)
            elif acts.drop_retention(settings.WAREHOUSE_URL, **rule):
                said.line("The rule is removed. Sets that are there keep their expiry.")
            else:
                raise Refusal("There is no such rule. Nothing was changed.")


def _offer_sets(parser: CommandParser) -> None:
    """Of which sets a rule is."""
    parser.add_argument("--table", default="", help="sets of this table of staging only")
    parser.add_argument("--words", default="", help="sets archived for a reason that holds these words only")


def _set(said: Answer, rule: dict[str, Any], options: dict[str, Any]) -> None:
    why, days = options["why"].strip(), options["days"]
    if not why:
        raise Refusal("--why is empty: say why. Nothing was changed.", code=2)
    if options["existing"]:
        job = retaining.ask(**rule, days=days, why=why, now=timezone.now())
        answers.tell_asked(said, job, wait=options["wait"])
        return
    acts.set_retention(settings.WAREHOUSE_URL, **rule, days=days, why=why, now=timezone.now())
    said.result = {"table": rule["table"], "words": rule["words"], "days": days}
    said.line(f"Kept for {things(days, 'day')} from now on. Sets that are there stay as set.")


def _list(said: Answer) -> None:
    with connect(settings.WAREHOUSE_URL, purpose="retention") as connection:
        rules = archive_retention.rules(connection)
    default = max(DEFAULT_DAYS, LEAST_DAYS)
    said.result = {"rules": [_as_json(rule) for rule in rules], "default": default, "least": LEAST_DAYS}
    for rule in rules:
        of = f"stg.{rule.table_name}" if rule.table_name else "any table"
        for_what = f", archived for a reason that holds “{rule.reason}”" if rule.reason else ""
        said.line(
            f"{things(rule.days, 'day')}: {of}{for_what} (by {rule.set_by} on {rule.set_at:%Y-%m-%d}: {rule.why})"
        )
    said.line(f"{things(default, 'day')}: all else")


def _as_json(rule: Rule) -> dict[str, Any]:
    return {
        "table": rule.table_name,
        "words": rule.reason,
        "days": rule.days,
        "why": rule.why,
        "by": rule.set_by,
        "at": rule.set_at.isoformat(),
    }
