"""`manage.py reprocess RUN --reason TEXT`: read the files of a load run again."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser

from jobs import actors, answers
from reprocessing import requests
from reprocessing.planning import DECLARATIONS, MODES, RAW_HISTORIES, SOURCES, WHICH, Options
from reprocessing.waves import BY, UNTIL_PROMOTED, Rules, shares
from warehouse.commands import AnsweringCommand, Refusal, a_day, an_id, answer, demand_extracts


class Command(AnsweringCommand):
    help = "Reads the files of a load run again (or quarantines them), shows what that changes, and publishes it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", type=an_id, nargs="+", help="the load runs; all of them become one plan")
        parser.add_argument("--reason", required=True, help="why; everybody who follows the job reads it")
        parser.add_argument("--extract-types", nargs="+", default=[], metavar="TYPE", help="only these extracts")
        parser.add_argument("--files", choices=WHICH[::-1], default="all", help="only the failed files, or all")
        parser.add_argument(
            "--source",
            choices=SOURCES,
            default="files",
            help="read the files, or fold raw again; nothing: quarantine them",
        )
        parser.add_argument(
            "--from", dest="since", type=a_day, metavar="D", help="extracted on this day or later (UTC)"
        )
        parser.add_argument("--to", dest="until", type=a_day, metavar="D", help="extracted on this day or before")
        parser.add_argument(
            "--only-file", nargs="+", default=[], metavar="KEY", help="only files of these names, in whichever run"
        )
        parser.add_argument("--mode", choices=MODES, default="incremental", help="write changed rows, or all it owns")
        parser.add_argument(
            "--raw-history",
            choices=RAW_HISTORIES,
            default="supersede",
            help="what becomes of the replaced records; delete needs an approval",
        )
        parser.add_argument(
            "--declaration", choices=DECLARATIONS, default="current", help="original: as each was built; dry run only"
        )
        parser.add_argument(
            "--past-breaker", action="store_true", help="publish though the circuit breaker objects; needs an approval"
        )
        parser.add_argument(
            "--past-blackout", default="", metavar="REASON", help="why it cannot wait for a blackout's end"
        )
        parser.add_argument("--waves", metavar="1,10,50,100", help="publish in waves up to these shares of the records")
        parser.add_argument("--wave-by", choices=BY, default="file", help="what is kept whole in a wave")
        pause = parser.add_mutually_exclusive_group()
        pause.add_argument("--pause-minutes", type=int, default=0, metavar="N", help="wait after each wave that passed")
        pause.add_argument(
            "--pause-until-promoted", action="store_true", help="wait after each wave until somebody promotes the next"
        )
        parser.add_argument("--failures", type=int, default=0, metavar="N", help="failed checks that do not pause it")
        parser.add_argument("--dry-run", action="store_true", help="show exactly what would change, and stop there")
        answers.offer_wait(parser)

    def handle(self, *, run: list[UUID], reason: str, actor: str | None, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            if not reason.strip():
                raise Refusal("--reason is empty: say why.", code=2)
            if options["since"] and options["until"] and options["until"] < options["since"]:
                raise Refusal("--to is before --from: no file can lie between them.", code=2)
            demand_extracts(*options["extract_types"])
            chosen = Options(
                extracts=tuple(options["extract_types"]),
                source=options["source"],
                which=options["files"],
                since=options["since"],
                until=options["until"],
                keys=tuple(options["only_file"]),
                mode=options["mode"],
                raw_history=options["raw_history"],
                declaration=options["declaration"],
                past_breaker=options["past_breaker"],
            )
            job = requests.ask_reprocess(
                settings.WAREHOUSE_URL,
                run,
                chosen,
                reason=reason.strip(),
                actor=actors.of_shell(actor),
                dry_run=options["dry_run"],
                past_blackout=options["past_blackout"],
                waves=_waves(options),
            )
            answers.tell_asked(said, job, wait=options["wait"])


def _waves(options: dict[str, Any]) -> Rules | None:
    """Raises Refusal for waves that cannot be meant."""
    if options["waves"] is None:
        if options["pause_minutes"] or options["pause_until_promoted"] or options["failures"]:
            raise Refusal("--pause-minutes, --pause-until-promoted and --failures are of --waves.", code=2)
        return None
    pause = UNTIL_PROMOTED if options["pause_until_promoted"] else options["pause_minutes"]
    if (pause < 0 and not options["pause_until_promoted"]) or options["failures"] < 0:
        raise Refusal("--pause-minutes and --failures must be 0 or more.", code=2)
    try:
        return Rules(shares(options["waves"]), options["wave_by"], pause, options["failures"])
    except ValueError as error:
        raise Refusal(f"--waves: {error}", code=2) from error
