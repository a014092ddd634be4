"""`manage.py archives cool|verify|adopt|orphans`: sets in the cold tier."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from access import rights
from archives import cold_tier, cooling
from jobs import actors, answers
from warehouse import archive_sets, cold_adoption, cold_orphans, cold_verification
from warehouse.amounts import megabytes
from warehouse.commands import Answer, AnsweringCommand, Refusal, an_id, answer
from warehouse.connections import connect

ACTIONS = {
    "cool": "write a set to sealed files of the cold tier",
    "verify": "compare cold sets with their sealed manifests, byte by byte",
    "adopt": "enter sealed sets into the catalogue that the store has and the catalogue has not",
    "orphans": "list the files of the store that no archive needs",
}


class Command(AnsweringCommand):
    help = "Moves archive sets to the cold tier, verifies them there, and keeps the store in order."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for name, does in ACTIONS.items():
            action = actions.add_parser(name, help=does)
            if name == "cool":
                action.add_argument("set", type=an_id)
                action.add_argument("--reason", required=True, help="why; it is kept with the job")
                action.add_argument(
                    "--drop-hot", action="store_true", help="remove the rows from the archive tables, once proved"
                )
                answers.offer_wait(action)
                continue
            if name in ("verify", "adopt"):
                action.add_argument("set", type=an_id, nargs="?")
                action.add_argument("--all", action="store_true", help="every one")
            if name == "verify":
                action.add_argument(
                    "--deep", action="store_true", help="a job reads every row into a table aside and hashes it anew"
                )
            if name == "orphans":
                action.add_argument("--reap", action="store_true", help="remove those whose grace is over")
            answers.offer_actor(action)

    def handle(self, *, action: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            user = actors.of_shell(actor)
            rights.demand(user, rights.ARCHIVE)
            if action in ("verify", "adopt") and (options["set"] is None) != options["all"]:
                raise Refusal("Name one set, or say --all.", code=2)
            if action == "cool":
                _cool(said, user, options)
            elif action == "verify" and options["deep"]:
                _verify_deeply(said, user, options)
            else:
                with connect(settings.WAREHOUSE_URL, purpose="archives") as connection:
                    {"verify": _verify, "adopt": _adopt, "orphans": _orphans}[action](said, connection, user, options)


def _cool(said: Answer, user: Any, options: dict[str, Any]) -> None:
    if not options["reason"].strip():
        raise Refusal("--reason is empty: say why.", code=2)
    job = cooling.ask_cool(
        settings.WAREHOUSE_URL,
        options["set"],
        reason=options["reason"].strip(),
        actor=user,
        drop_hot=options["drop_hot"],
    )
    answers.tell_asked(said, job, wait=options["wait"])


def _verify_deeply(said: Answer, user: Any, options: dict[str, Any]) -> None:
    if options["all"]:
        raise Refusal("--deep is for one set: it reads every row of it.", code=2)
    job = cooling.ask_verify(settings.WAREHOUSE_URL, options["set"], actor=user, deep=True)
    answers.tell_asked(said, job, wait=True)


def _verify(said: Answer, connection: psycopg.Connection, user: Any, options: dict[str, Any]) -> None:
    sets = None if options["all"] else [options["set"]]
    if sets:
        archive_sets.of_id(connection, options["set"])
    parts, found = cold_verification.cold_parts(connection, sets), []
    for part in parts:
        verdict = cold_verification.verify(connection, cold_tier.tier(), part)
        found.append(verdict)
        said.line(f"{'sound  ' if verdict.holds else 'DAMAGED'} {part.set_id} stg.{part.table_name}")
        for finding in verdict.findings:
            said.line(f"  {finding.verdict}: {finding.where}: {finding.told}")
    for set_id in dict.fromkeys(verdict.set_id for verdict in found):
        of_set = {verdict.table: verdict.as_json() for verdict in found if verdict.set_id == set_id}
        cooling.told(user, set_id, of_set, deep=False)
    broken = sum(not verdict.holds for verdict in found)
    said.result = {"parts": [verdict.as_json() for verdict in found], "verified": len(found), "damaged": broken}
    said.line(f"{len(found):,} cold parts verified, {broken:,} damaged")
    if broken:
        raise Refusal(f"{broken:,} of {len(found):,} cold parts are damaged. Nothing was changed.")


def _adopt(said: Answer, connection: psycopg.Connection, user: Any, options: dict[str, Any]) -> None:
    tier = cold_tier.tier()
    unknown = [
        part for part in cold_adoption.unknown(connection, tier) if options["all"] or part.set_id == options["set"]
    ]
    if not unknown and not options["all"]:
        raise Refusal("The store has no sealed part of this set that the catalogue does not know.")
    adopted = []
    for part in unknown:
        found = cold_adoption.adopt(connection, tier, part, actor=user.get_username())
        adopted.append({"set": str(found.set_id), "table": found.table, "rows": found.rows})
        said.result = {"adopted": adopted}
        said.line(f"{found.set_id} stg.{found.table}: {found.rows:,} rows")
    said.result = {"adopted": adopted}
    said.line(f"{len(adopted):,} parts entered into the catalogue")


def _orphans(said: Answer, connection: psycopg.Connection, user: Any, options: dict[str, Any]) -> None:
    tier, now = cold_tier.tier(), timezone.now()
    if options["reap"]:
        rights.demand(user, rights.CLEAN_UP)
        found = cold_orphans.reap(connection, tier, now=now)
    else:
        found = cold_orphans.orphans(connection, tier, now=now)
    said.result = {
        "removed": options["reap"],
        "bytes": sum(orphan.item.size for orphan in found),
        "files": [
            {"name": orphan.item.name, "bytes": orphan.item.size, "why": orphan.why, "due": orphan.due}
            for orphan in found
        ],
    }
    for orphan in found:
        said.line(
            f"{orphan.item.name} ({orphan.item.size:,} bytes): {orphan.why}{'' if orphan.due else '; not due yet'}"
        )
    said.line(f"{len(found):,} files{' removed' if options['reap'] else ''}, {megabytes(said.result['bytes'])}")
