"""Which files of some load runs would be read again, and why each other one would not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from jobs.models import Job, Plan
from reprocessing.waves import Rules
from warehouse import attempts, builds, history, quarantine
from warehouse.amounts import things
from warehouse.attempts import Attempt
from warehouse.diff import Diff
from warehouse.discovery import SILENT_FOR
from warehouse.errors import TellableError, reason_of
from warehouse.registry import Registry

REPROCESS = "reprocess"
ROLLOUT = "rollout"
QUARANTINE = "quarantine"
KINDS = (REPROCESS, ROLLOUT, QUARANTINE)
NOTHING = "nothing"
SOURCES = ("files", "raw", NOTHING)
WHICH = ("all", "failed")
MODES = ("incremental", "replace")
RAW_HISTORIES = ("supersede", "delete")
DECLARATIONS = ("current", "original")
UNREAD = ("supersede", "incremental", "current")  # the only choices where nothing is read


class CannotPlanError(TellableError):
    """There is nothing to plan; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class Options:
    """What was asked for: one filter for every step of the job.

    `extracts`: of these extracts only (none: all). `source`: "files", "raw", or "nothing" (a quarantine: nothing of the
    files counts until they are read again or the job is rolled back). `since`, `until`: extracted by the
    source on these days or between them (in UTC). `files`: only these attempts, by load_run_file_id (None: all);
    `keys`: only files of these names (none: all). `mode`: "incremental" writes the rows that change, "replace" every
    row that the files own. `raw_history`: what becomes of the replaced attempts' raw records. `declaration`: "current",
    or "original" (the version that each attempt was built with), which is possible as a dry run only.
    `past_breaker`: publish though the circuit breaker objects; that needs an approval. `retry_of`: the job whose files
    that did not succeed these are.
    """

    extracts: tuple[str, ...] = ()
    source: str = "files"
    which: str = "all"
    since: date | None = None
    until: date | None = None
    files: frozenset[int] | None = None
    keys: tuple[str, ...] = ()
    mode: str = "incremental"
    raw_history: str = "supersede"
    declaration: str = "current"
    past_breaker: bool = False
    retry_of: UUID | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Options":
        """What as_json() gave."""
        files, days = data.get("files"), {n: data.get(n) for n in ("since", "until")}
        return cls(
            extracts=tuple(data.get("extracts", ())),
            source=data["source"],
            which=data.get("which", "all"),
            files=None if files is None else frozenset(files),
            keys=tuple(data.get("keys", ())),
            mode=data.get("mode", "incremental"),
            raw_history=data.get("raw_history", "supersede"),
            declaration=data.get("declaration", "current"),
            past_breaker=data.get("past_breaker", False),
            retry_of=UUID(data["retry_of"]) if data.get("retry_of") else None,
            **{name: date.fromisoformat(day) for name, day in days.items() if day},
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "extracts": list(self.extracts),
            "source": self.source,
            "which": self.which,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
            "files": sorted(self.files) if self.files is not None else None,
            "keys": list(self.keys),
            "mode": self.mode,
            "raw_history": self.raw_history,
            "declaration": self.declaration,
            "past_breaker": self.past_breaker,
            "retry_of": str(self.retry_of) if self.retry_of else None,
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
    selection, found = Selection(tuple(load_runs)), attempts.of_runs(connection, load_runs)
    _refuse(options, registry, found)
    built_with = builds.of_files(connection, [attempt.load_run_file_id for attempt in found])
    for attempt in found:
        item = {**_item(attempt), "declaration": built_with.get(attempt.load_run_file_id)}
        code, reason = _left_out(attempt, registry, options) or busy.get(attempt.load_run_id, ("", ""))
        if not code and options.declaration == "original" and not item["declaration"]:
            code, reason = "unknown declaration", "it was loaded before the declarations of files were kept"
        if not code and options.source == "files":
            code, reason = _verify_source(attempt, item) or _kept_out(attempt, item, options)
        if not code and attempt.status == quarantine.STATUS and not item["changed"]:
            item["released"] = True
        if code:
            selection.excluded.append({**item, "code": code, "reason": reason})
        else:
            selection.included.append(item)
    return selection


def _busy(connection: psycopg.Connection, load_runs: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """The runs that still go, with code and reason. Raises CannotPlanError where there is no such run."""
    found = dict(history.going(connection, load_runs, silent_for=SILENT_FOR))
    if missing := [str(run) for run in load_runs if run not in found]:
        raise CannotPlanError(f"There is no load run {', '.join(missing)}.")
    told = "its run is still running; wait until it has finished, or until it has been silent for 2 h"
    return {run: ("still running", told) for run, going in found.items() if going}


def _refuse(options: Options, registry: Registry, found: Sequence[Attempt]) -> None:
    """Raises CannotPlanError for what cannot be done at all, whatever the files are like."""
    if options.raw_history == "delete" and options.source == "raw":
        raise CannotPlanError(
            "Only the raw records of replaced attempts can be deleted, and making staging anew from raw replaces none."
            " Read the delivered files again, or keep the raw records."
        )
    if options.source == NOTHING and (options.raw_history, options.mode, options.declaration) != UNREAD:
        raise CannotPlanError(
            "A quarantine reads nothing and keeps the raw records: it takes no way of writing, no declaration and no"
            " deletion."
        )
    if unknown := [name for name in options.extracts if name not in registry]:
        raise CannotPlanError(f"There is no extract {', '.join(unknown)}.")
    names = {name for attempt in found for name in (attempt.s3_key, attempt.address.name)}
    if absent := [key for key in options.keys if key not in names]:
        raise CannotPlanError(f"No file of these load runs is named {', '.join(absent[:3])}.")


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
    if options.keys and not {attempt.s3_key, attempt.address.name} & set(options.keys):
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
    if options.which == "failed" and attempt.status in ("completed", quarantine.STATUS):
        return "not failed", "only failed files were asked for"
    if options.source != "files" and attempt.status == quarantine.STATUS:
        return "quarantined", "nothing of it counts"
    if options.source == NOTHING and attempt.status != "completed":
        return "nothing counts", "it was never loaded completely, so nothing of it counts"
    if options.source == "raw" and attempt.status != "completed":
        return "no raw records", "it was never loaded completely, so raw holds nothing of it"
    return None


def _verify_source(attempt: Attempt, item: dict[str, Any]) -> tuple[str, str] | None:
    """Bind the item to the content that the file has now; say loudly where it is another than at first (None: nobody
    kept what it was then). Why it is left out, if it is."""
    try:
        content = attempt.address.content()
    except (TellableError, OSError) as error:
        return "missing", reason_of(error)
    item |= {"sha256": content.sha256, "bytes": content.size}
    item["changed"] = None if attempt.content is None else attempt.content != content
    return None


def _kept_out(attempt: Attempt, item: Mapping[str, Any], options: Options) -> tuple[str, str]:
    """A quarantined file is read again where it was delivered anew, or where it is asked for by name."""
    named = options.files is not None or bool(options.keys)
    if attempt.status != quarantine.STATUS or item["changed"] or named:
        return "", ""
    return "quarantined", "nothing of it counts; roll its quarantine back, or ask for this file by its name"


def plan(selection: Selection, options: Options, reason: str, waves: Rules | None = None) -> Plan:
    """An unsaved plan; of a rollout if there are rules for `waves`.

    Raises CannotPlanError when no file is included, or where no wave could be taken back.
    """
    if waves and options.source == NOTHING:
        raise CannotPlanError("A quarantine takes effect at once, without waves: publish at once.")
    if waves and options.raw_history == "delete":
        raise CannotPlanError(
            "A rollout keeps the raw records of replaced attempts, so that each wave can be rolled back. Publish at"
            " once, or keep the raw records."
        )
    if not selection.included:
        why = "; ".join(sorted({f"{item['key']}: {item['reason']}" for item in selection.excluded})[:5])
        runs = ", ".join(str(run) for run in selection.load_runs[:3]) + (", …" if len(selection.load_runs) > 3 else "")
        raise CannotPlanError(f"No file of load run {runs} would be read. {why}".strip())
    return Plan(
        kind=ROLLOUT if waves else QUARANTINE if options.source == NOTHING else REPROCESS,
        reason=reason,
        options=options.as_json() | (waves.as_json() if waves else {}),
        included=selection.included,
        excluded=selection.excluded,
    )


def deletes_raw(plan: Plan) -> bool:
    """Whether the raw records of the attempts that it replaces go with its publish."""
    return bool(plan.options.get("raw_history") == "delete")


def told_of_deletion(included: Iterable[Mapping[str, Any]], records: int) -> str:
    """What is said of it to whoever approves the plan."""
    changed = [item.get("changed") for item in included]
    said = (
        f"It deletes {things(records, 'raw record')} of the replaced attempts for good. Their rows of staging are"
        " archived first; it cannot be rolled back, only that archive set can be restored."
    )
    if others := changed.count(True):
        said += (
            f" {things(others, 'delivered file is', 'delivered files are')} another than what was loaded: nothing else"
            " keeps those records."
        )
    if unknown := changed.count(None):
        said += (
            f" Of {things(unknown, 'file')} nobody knows whether what is delivered now is what was loaded: nothing else"
            " may keep those records."
        )
    return said


def told_of_release(included: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is said where files count again that somebody else has approved to quarantine, with the same content."""
    number = sum(bool(item.get("released")) for item in included)
    told = f"It lets {things(number, 'quarantined file')} count again, with the content that was quarantined."
    return [told] if number else []


def expected(plan: Plan) -> dict[str, Diff]:
    """Table → what the approved preview says that changes."""
    return {table: Diff.from_json(counts) for table, counts in plan.tables.items()}


def expected_raw(plan: Plan) -> dict[str, int] | None:
    """Table → how many raw records the approved preview says that go; None where none were to go. Where it says nothing
    though some were, none are expected, so that whatever would go is refused."""
    if not deletes_raw(plan):
        return None
    return {table: int(records) for table, records in (plan.preview or {}).get("raw_deleted", {}).items()}
