"""Which files of a load run would be read again, and why each other one would not."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from jobs.models import Plan
from warehouse import attempts
from warehouse.attempts import Attempt
from warehouse.errors import TellableError, reason_of
from warehouse.registry import Registry

KIND = "reprocess"
STUCK_AFTER = timedelta(hours=2)
SOURCES = ("files", "raw")
WHICH = ("all", "failed")


class CannotPlanError(TellableError):
    """There is nothing to plan; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Options:
    """What was asked for. `extracts`: of these extracts only (none: all). `source`: "files" or "raw"."""

    extracts: tuple[str, ...] = ()
    source: str = "files"
    which: str = "all"

    def as_json(self) -> dict[str, Any]:
        return {"extracts": list(self.extracts), "source": self.source, "which": self.which}


@dataclass
class Selection:
    """Every file of the run is in one of the two lists."""

    load_run_id: UUID
    included: list[dict[str, Any]] = field(default_factory=list)
    excluded: list[dict[str, Any]] = field(default_factory=list)

    @property
    def records(self) -> int | None:
        known = [item["records"] for item in self.included]
        return None if None in known else sum(known)


def select(connection: psycopg.Connection, registry: Registry, load_run_id: UUID, options: Options) -> Selection:
    """Sort the files of a run into included and excluded ones; reads the files to compare their content.

    Raises CannotPlanError: no such run, unknown extract, or a run that is still going.
    """
    _refuse_run(connection, load_run_id)
    unknown = [name for name in options.extracts if name not in registry]
    if unknown:
        raise CannotPlanError(f"There is no extract {', '.join(unknown)}.")
    selection = Selection(load_run_id)
    for attempt in attempts.of_run(connection, load_run_id):
        item = _item(attempt)
        code, reason = _left_out(attempt, registry, options)
        if not code and options.source == "files":
            code, reason = _verify_source(attempt, item)
        if code:
            selection.excluded.append({**item, "code": code, "reason": reason})
        else:
            selection.included.append(item)
    return selection


def _refuse_run(connection: psycopg.Connection, load_run_id: UUID) -> None:
    found = connection.execute(
        "SELECT r.status, greatest(r.updated_at, max(f.updated_at)) > now() - %s FROM etl.load_runs r"
        " LEFT JOIN etl.load_run_files f USING (load_run_id) WHERE r.load_run_id = %s GROUP BY r.load_run_id",
        [STUCK_AFTER, load_run_id],
    ).fetchone()
    if found is None:
        raise CannotPlanError(f"There is no load run {load_run_id}.")
    status, fresh = found
    if status == "running" and fresh:
        raise CannotPlanError(
            f"Load run {load_run_id} is still running. Wait until it has finished, or until it has been silent for 2 h."
        )


def _item(attempt: Attempt) -> dict[str, Any]:
    return {
        "file": attempt.load_run_file_id,
        "key": attempt.s3_key,
        "extract": attempt.extract_type,
        "records": attempt.rows_read if attempt.status == "completed" else None,
    }


def _left_out(attempt: Attempt, registry: Registry, options: Options) -> tuple[str, str]:
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
    return "", ""


def _verify_source(attempt: Attempt, item: dict[str, Any]) -> tuple[str, str]:
    """Bind the item to the content that the file has now; say loudly where it is another than at first."""
    try:
        content = attempt.address.content()
    except (TellableError, OSError) as error:
        return "missing", reason_of(error)
    item |= {"sha256": content.sha256, "bytes": content.size}
    item["changed"] = attempt.content is not None and attempt.content != content
    return "", ""


def plan(selection: Selection, options: Options, reason: str) -> Plan:
    """An unsaved plan. Raises CannotPlanError when no file is included."""
    if not selection.included:
        why = "; ".join(sorted({f"{item['key']}: {item['reason']}" for item in selection.excluded})[:5])
        raise CannotPlanError(f"No file of load run {selection.load_run_id} would be read. {why}".strip())
    return Plan(
        kind=KIND,
        load_run_id=selection.load_run_id,
        reason=reason,
        options=options.as_json(),
        included=selection.included,
        excluded=selection.excluded,
    )
