"""Every loaded file gets a profile and a verdict, oldest first. At least once; safe to do twice, and by two workers.

1. Of the attempts without a profile, measure one in the warehouse.
2. Compare it with the profiles of its feed that came before it, but for those that are refused.
3. Keep the verdict in the console, and then the profile in the warehouse: a death between the two leaves the file due,
   and its second verdict is the first.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import pandas as pd
import psycopg

from monitoring.quality import profiling, storing
from monitoring.quality.detector import Detector
from monitoring.quality.profile import Column, Profile
from monitoring.quality.verdict import Verdict
from monitoring.verdicts import acting, suspending
from monitoring.verdicts.models import QualityVerdict
from warehouse import profiles, registry
from warehouse.connections import connect
from warehouse.profiles import Counted, Delivered, Measured

MOST_AT_ONCE = 20  # files of one extract that one turn of the clock judges
log = logging.getLogger(__name__)


def judge_due(url: str, now: datetime, most: int = MOST_AT_ONCE) -> list[QualityVerdict]:
    """At most so many of each extract. One whose files cannot be read keeps no other waiting.

    Raises what a warehouse that is away raises.
    """
    made: list[QualityVerdict] = []
    with connect(url, purpose="quality") as connection:
        for extract in registry.current().names:
            try:
                for one in profiles.due(connection, extract, most):
                    made += judge(connection, one, now)
            except (psycopg.ProgrammingError, psycopg.DataError) as error:
                log.warning("Files of %s could not be judged: %s", extract, type(error).__name__)
    return made


def judge_runs(url: str, load_runs: Iterable[UUID], now: datetime) -> list[QualityVerdict]:
    """The verdicts on these runs' live files; those that have none are judged now."""
    with connect(url, purpose="quality") as connection:
        found = [one for one in profiles.of_runs(connection, load_runs) if one.extract in registry.current()]
        known = {v.load_run_file_id: v for v in _verdicts(found)}
        made = [v for one in found if one.load_run_file_id not in known for v in judge(connection, one, now)]
    return [*known.values(), *made]


def _verdicts(found: list[Delivered]) -> Iterable[QualityVerdict]:
    return QualityVerdict.objects.filter(load_run_file_id__in=[one.load_run_file_id for one in found])


def judge(connection: psycopg.Connection, delivered: Delivered, now: datetime) -> list[QualityVerdict]:
    """Its one verdict; none where its rows have left raw."""
    measured = profiles.measure(connection, registry.current()[delivered.extract], delivered.load_run_file_id)
    if not measured.rows and delivered.ingested:
        profiles.pass_over(connection, delivered.load_run_file_id)
        return []
    body = storing.dump(profiled(measured))
    history = _history(connection, delivered)
    verdict = Detector().fit_step(history, storing.load(body))
    kept, made = QualityVerdict.objects.get_or_create(
        load_run_file_id=delivered.load_run_file_id,
        defaults=_fields(delivered, verdict, measured.rows, len(history), now),
    )
    if made:
        acting.tell(kept, delivered.made_by, now)
    if kept.level == kept.Level.BLOCK and delivered.made_by is None and profiles.is_newest(connection, delivered):
        suspending.after_verdict(connection, kept)
    profiles.keep(connection, delivered.load_run_file_id, measured.rows, body)
    return [kept]


def profiled(measured: Measured) -> Profile:
    """The profile of the rows looked at, with what SQL has counted of all of them."""
    frame = pd.DataFrame(measured.sample, columns=list(measured.names), dtype=object)
    found = profiling.profile(frame)
    if found.rows == measured.rows:
        return found
    scale = measured.rows / max(1, found.rows)
    counted = {one.name: one for one in measured.columns}
    columns = {name: _exact(column, counted[name], measured.rows, scale) for name, column in found.columns.items()}
    return replace(found, rows=measured.rows, again=measured.again, columns=columns, cells=None)


def _exact(column: Column, counted: Counted, rows: int, scale: float) -> Column:
    kept = rows - counted.nulls
    shares = {measure: count * scale for measure, count in column.shares.items()}
    levels = dict(column.levels)
    shares |= {"null": float(counted.nulls), "blank": float(counted.blank), "not_number": float(kept - counted.numbers)}
    if kept and counted.length is not None:
        levels |= {"distinct": counted.distinct / kept, "top": counted.top / kept, "length": counted.length}
        levels["as_number"] = counted.numbers / kept
    return replace(column, filled=rows, shares=shares, levels=levels)


def _history(connection: psycopg.Connection, delivered: Delivered) -> list[Profile]:
    before = profiles.before(connection, delivered)
    refused = set(
        QualityVerdict.objects.refused().filter(load_run_file_id__in=before).values_list("load_run_file_id", flat=True)
    )
    counted = [file for file in before if file not in refused]
    bodies = profiles.bodies(connection, counted)
    return [_read(bodies[file]) for file in counted if file in bodies]


@lru_cache(maxsize=2_000)
def _read(body: bytes) -> Profile:
    """The same object for the same profile: the detector goes on where it was."""
    return storing.load(body)


def _fields(delivered: Delivered, verdict: Verdict, rows: int, compared: int, now: datetime) -> dict[str, Any]:
    feed = " ".join(part for part in (delivered.per_org_id, delivered.practice_id) if part)
    return {
        "load_run_id": delivered.load_run_id,
        "extract": delivered.extract,
        "feed": feed[:200],
        "extracted_at": delivered.extracted_at,
        "judged_at": now,
        "level": verdict.level,
        "score": verdict.score,
        "limit": verdict.limit,
        "rows": rows,
        "compared_with": compared,
        "columns": verdict.columns[:10] if verdict.flagged else [],
        "findings": [
            {"channel": f.channel, "column": f.column, "measure": f.measure, "told": f.told} for f in verdict.findings
        ],
        "note": verdict.note[:300],
    }
