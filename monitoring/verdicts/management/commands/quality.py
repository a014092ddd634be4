"""`manage.py quality [RUN]`: judge what is due, and say what was found."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandParser
from django.utils import timezone

from monitoring.verdicts import judging
from monitoring.verdicts.models import QualityVerdict
from warehouse.commands import AnsweringCommand, Refusal, answer, offer_json
from warehouse.models import LoadRun

MOST_LISTED = 100


class Command(AnsweringCommand):
    help = "Judges the files that have no verdict yet, and lists those of a load run, or the alarms not answered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("run", nargs="?", type=UUID, help="a load run; without one: every alarm not answered")
        offer_json(parser)

    def handle(self, **options: Any) -> None:
        with answer(self, as_json=options["json"]) as said:
            made = judging.judge_due(settings.WAREHOUSE_URL, timezone.now())
            found = _of_run(options["run"]) if options["run"] else _waiting()
            said.result = {"judged": len(made), "verdicts": [_told(verdict) for verdict in found]}
            said.line(f"{len(made):,} files judged.")
            for verdict in found:
                said.line(f"  {verdict.level:5}  {verdict.extract} file {verdict.load_run_file_id}: {verdict.sentence}")
            if not found:
                said.line("  No alarm waits for an answer.")


def _of_run(run: UUID) -> list[QualityVerdict]:
    """Raises Refusal where there is no such run."""
    if not LoadRun.objects.filter(pk=run).exists():
        raise Refusal(f"There is no load run {run}.")
    return judging.judge_runs(settings.WAREHOUSE_URL, [run], timezone.now())


def _waiting() -> list[QualityVerdict]:
    return list(QualityVerdict.objects.waiting().order_by("-judged_at")[:MOST_LISTED])


def _told(verdict: QualityVerdict) -> dict[str, Any]:
    return {
        "file": verdict.load_run_file_id,
        "run": verdict.load_run_id,
        "extract": verdict.extract,
        "level": verdict.level,
        "score": round(verdict.score, 3),
        "limit": round(verdict.limit, 3),
        "rows": verdict.rows,
        "columns": verdict.columns,
        "findings": verdict.findings,
        "note": verdict.note,
        "answer": verdict.state,
        "told": verdict.sentence,
    }
