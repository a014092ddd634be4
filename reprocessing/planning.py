"""Which files of some load runs would be read again, and why each other one would not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg

from jobs.models import Job, Plan
from reprocessing.waves import Rules
from warehouse import attempts, history
from warehouse.attempts import Attempt
from warehouse.errors import TellableError, reason_of
from warehouse.registry import Registry

KIND = "reprocess"
ROLLOUT = "rollout"
KINDS = (KIND, ROLLOUT)
STUCK_AFTER = timedelta(hours=2)
SOURCES = ("files", "raw")
WHICH = ("all", "failed")


class CannotPlanError(TellableError):
    """There is nothing to plan; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Options:
    """What was asked for: one filter for every step of the job.

    `extracts`: of these extracts only (none: all). `source`: "files" or "raw". `since`, `until`: extracted by the
    source on these days or between them (in UTC). `files`: only these attempts, by load_run_file_id (None: all).
    `past_breaker`: publish though the circuit breaker objects; that needs an approval.
    """

    extracts: tuple[str, ...] = ()
    source: str = "files"
    which: str = "all"
    since: date | None = None
    until: date | None = None
    files: frozenset[int] | None = None
    past_breaker: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "extracts": list(self.extracts),
            "source": self.source,
            "which": self.which,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "files": sorted(self.files) if self.files is not None else None,
            "past_breaker": self.past_breaker,
        }


@dataclass
class Selection:
    """Every file of the load runs is in one of the two lists."""

    load_runs: tuple[UUID, ...]
    included: list[dict[str, Any]] = field(default_factory=list)
    excluded: list[dict[str, Any]] = field(default_factory=list)

    @property
    def records(self) -> int | None:
        known = [item["records"] for item in self.included]
        return None if None in known else sum(known)


def select(
    connection: psycopg.Connection,
    registry: Registry,
    load_runs: Sequence[UUID],
    options: Options,
    held: Mapping[UUID, Job] | None = None,
) -> Selection:
    """Sort the files of these runs into included and excluded ones; reads the files to compare their content.

    `held`: the runs that another active job is about. Raises CannotPlanError: no such run, or unknown extract.
    """
    busy = _busy(connection, load_runs) | {
        run: ("in flight", f"job {job.pk} is about its run") for run, job in (held or {}).items()
    }
    unknown = [name for name in options.extracts if name not in registry]
    if unknown:
        raise CannotPlanError(f"There is no extract {', '.join(unknown)}.")
    selection = Selection(tuple(load_runs))
    for attempt in attempts.of_runs(connection, load_runs):
        item = _item(attempt)
        code, reason = _left_out(attempt, registry, options) or busy.get(attempt.load_run_id, ("", ""))
        if not code and options.source == "files":
            code, reason = _verify_source(attempt, item)
        if code:
            selection.excluded.append({**item, "code": code, "reason": reason})
        else:
            selection.included.append(item)
    return selection


def _busy(connection: psycopg.Connection, load_runs: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """The runs that still go, with code and reason. Raises CannotPlanError where there is no such run."""
    found = dict(history.going(connection, load_runs, silent_for=STUCK_AFTER))
    if missing := [str(run) for run in load_runs if run not in found]:
        raise CannotPlanError(f"There is no load run {', '.join(missing)}.")
    told = "its run is still running; wait until it has finished, or until it has been silent for 2 h"
    return {run: ("still running", told) for run, going in found.items() if going}


def _item(attempt: Attempt) -> dict[str, Any]:
    return {
        "file": attempt.load_run_file_id,
        "run": str(attempt.load_run_id),
        "key": attempt.s3_key,
        "extract": attempt.extract_type,
        "practice": f"{attempt.per_org_id}/{attempt.practice_id}".strip("/"),
        "records": attempt.rows_read if attempt.status == "completed" else None,
    }


def _left_out(attempt: Attempt, registry: Registry, options: Options) -> tuple[str, str] | None:
    if options.files is not None and attempt.load_run_file_id not in options.files:
        return "other file", "it was not asked for"
    day = attempt.extracted_at.date() if attempt.extracted_at else None
    if options.since and (day is None or day < options.since):
        return "too old", f"extracted before {options.since}"
    if options.until and (day is None or day > options.until):
        return "too new", f"extracted after {options.until}"
    if attempt.status == "rolled_back":
        return "rolled back", "its job was rolled back; the attempt before it counts again"
    if attempt.superseded_in:
        return "replaced", f"load run {attempt.superseded_in} has replaced it; reprocess that one"
    if options.extracts and attempt.extract_type not in options.extracts:
        return "other extract", "its extract was not asked for"
    if attempt.extract_type not in registry:
        return "undeclared", f"nothing declares extract {attempt.extract_type}"
    if options.which == "failed" and attempt.status == "completed":
        return "not failed", "only failed files were asked for"
    if options.source == "raw" and attempt.status != "completed":
        return "no raw records", "it was never loaded completely, so raw holds nothing of it"
    return None


def _verify_source(attempt: Attempt, item: dict[str, Any]) -> tuple[str, str]:
    """Bind the item to the content that the file has now; say loudly where it is another than at first."""
    try:
        content = attempt.address.content()
    except (TellableError, OSError) as error:
        return "missing", reason_of(error)
    item |= {"sha256": content.sha256, "bytes": content.size}
    item["changed"] = attempt.content is not None and attempt.content != content
    return "", ""


def plan(selection: Selection, options: Options, reason: str, waves: Rules | None = None) -> Plan:
    """An unsaved plan; of a rollout if there are rules for `waves`. Raises CannotPlanError when no file is included."""
    if not selection.included:
        why = "; ".join(sorted({f"{item['key']}: {item['reason']}" for item in selection.excluded})[:5])
        runs = ", ".join(str(run) for run in selection.load_runs[:3]) + (", …" if len(selection.load_runs) > 3 else "")
        raise CannotPlanError(f"No file of load run {runs} would be read. {why}".strip())
    return Plan(
        kind=ROLLOUT if waves else KIND,
        reason=reason,
        options=options.as_json() | (waves.as_json() if waves else {}),
        included=selection.included,
        excluded=selection.excluded,
    )
