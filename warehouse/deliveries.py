"""A folder of delivered files → load runs: files of one extraction time are one run, each file is all or nothing."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import psycopg

from warehouse import (
    build,
    builds,
    diff,
    downstream,
    ingest,
    locks,
    names,
    publish,
    quarantine,
    runs,
    sources,
    suspensions,
)
from warehouse import change as changes
from warehouse.diff import Counts
from warehouse.errors import TellableError, reason_of
from warehouse.registry import Extract, Registry
from warehouse.runs import Arrival
from warehouse.sources import Address

LOCK_WAIT_MS = 60_000


@dataclass(frozen=True)
class NotLoaded:
    """A file that did not become part of a run; `code`: unknown, misdated, unreadable, loaded, failed, changed,
    quarantined, suspended."""

    key: str
    code: str
    reason: str


@dataclass
class Loaded:
    """One load run made by load(). `failed`: key → reason."""

    load_run_id: UUID
    extracted: datetime
    files: int = 0
    records: int = 0
    rejected: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    runs: list[Loaded] = field(default_factory=list)
    left_out: list[NotLoaded] = field(default_factory=list)


def load(
    connection: psycopg.Connection,
    registry: Registry,
    folder: str,
    *,
    only: Iterable[str] = (),
    triggered_by: str = "manual",
    told: Callable[[Loaded], None] = lambda loaded: None,
) -> Report:
    """Load every file below `folder` that an extract declares (`only`: of these extracts). `told` hears of each run.

    Needs an autocommit connection. Raises MissingFileError where there is no such folder.
    """
    report, wanted = Report(), frozenset(only)
    batches: dict[datetime, list[Arrival]] = defaultdict(list)
    for address in sources.listing(folder):
        found = _recognise(connection, registry, address)
        if isinstance(found, NotLoaded):
            report.left_out.append(found)
        elif not wanted or found.extract_type in wanted:
            batches[found.extracted].append(found)
    order = {extract.name: place for place, extract in enumerate(registry.extracts)}
    for extracted in sorted(batches):
        free = _not_suspended(connection, batches[extracted], report)
        arrivals = sorted(free, key=lambda a: (order[a.extract_type], a.address.key))
        loaded = _load_run(connection, registry, arrivals, triggered_by, report) if arrivals else None
        if loaded:
            report.runs.append(loaded)
            told(loaded)
    return report


def _not_suspended(connection: psycopg.Connection, arrivals: list[Arrival], report: Report) -> list[Arrival]:
    """Those whose extract may be loaded now; asked before each run, as the one before may have shown what is wrong."""
    standing = suspensions.standing(connection)
    for arrival in arrivals:
        if stopped := standing.get(arrival.extract_type):
            told = f"the loading of {arrival.extract_type} is suspended: {stopped.reason}"
            report.left_out.append(NotLoaded(arrival.address.key, "suspended", told))
    return [arrival for arrival in arrivals if arrival.extract_type not in standing]


def _recognise(connection: psycopg.Connection, registry: Registry, address: Address) -> Arrival | NotLoaded:
    declared = registry.of_file(address.name)
    if declared is None:
        return NotLoaded(address.key, "unknown", "no extract declares a file of this name")
    extract, match = declared
    try:
        extracted = extract.extracted_at(match)
    except ValueError:
        return NotLoaded(address.key, "misdated", "its name holds no possible extraction time")
    try:
        content = address.content()
    except (TellableError, OSError) as error:
        return NotLoaded(address.key, "unreadable", reason_of(error))
    known = match.groupdict()
    arrival = Arrival(
        address, extract.name, extracted, known.get("per_org_id") or "", known.get("practice_id") or "", content
    )
    return _known(connection, arrival) or arrival


def _known(connection: psycopg.Connection, arrival: Arrival) -> NotLoaded | None:
    """What an earlier load of a file of the same place and name says about this one."""
    earlier = connection.execute(
        "SELECT load_run_id, status, file_hash FROM etl.load_run_files"
        " WHERE s3_bucket = %s AND s3_key = %s AND superseded_at IS NULL ORDER BY load_run_file_id DESC LIMIT 1",
        [arrival.address.folder, arrival.address.key],
    ).fetchone()
    if earlier is None:
        return None
    run, status, loaded_hash = earlier
    if loaded_hash != runs.file_hash(arrival.address, arrival.content):
        return NotLoaded(arrival.address.key, "changed", f"its content has changed since run {run}: reprocess that run")
    if status == quarantine.STATUS:
        told = f"run {run} has quarantined it: roll back the job that made that run, or reprocess the file by its name"
        return NotLoaded(arrival.address.key, "quarantined", told)
    if status == "completed":
        return NotLoaded(arrival.address.key, "loaded", f"loaded in run {run} already")
    return NotLoaded(arrival.address.key, "failed", f"its load in run {run} is {status}: reprocess that run")


def _load_run(
    connection: psycopg.Connection, registry: Registry, arrivals: list[Arrival], triggered_by: str, report: Report
) -> Loaded | None:
    with connection.transaction():
        load_run_id = runs.begin(connection, triggered_by)
        files = [(runs.add_file(connection, load_run_id, arrival), arrival) for arrival in arrivals]
        taken = [(file_id, arrival) for file_id, arrival in files if file_id is not None]
        if not taken:
            raise psycopg.Rollback
    for file_id, arrival in files:
        if file_id is None:
            told = "the same content is loaded already, or quarantined"
            report.left_out.append(NotLoaded(arrival.address.key, "loaded", told))
    if not taken:
        return None
    loaded = Loaded(load_run_id, arrivals[0].extracted)
    counts: dict[str, list[Counts]] = defaultdict(list)
    for file_id, arrival in taken:
        extract = registry[arrival.extract_type]
        try:
            counts[extract.name].append(_load_file(connection, extract, file_id, arrival, loaded))
        except (TellableError, OSError, psycopg.Error) as error:
            loaded.failed[arrival.address.key] = reason_of(error)
            runs.fail_file(connection, file_id, reason_of(error))
    with connection.transaction():
        for name, found in counts.items():
            runs.note_staging(connection, load_run_id, name, registry[name].table, found)
        runs.finish(connection, load_run_id)
        downstream.settle(connection)
    return loaded


def _load_file(
    connection: psycopg.Connection, extract: Extract, file_id: int, arrival: Arrival, loaded: Loaded
) -> Counts:
    """Raw, staging and the file's state in one transaction."""
    change, space = changes.Change(extract, arrive=(file_id,)), build.Workspace(f"f{file_id % 10_000_000:07d}")
    with connection.transaction():
        intake = ingest.copy(
            connection,
            arrival.address,
            extract,
            into=names.raw(extract),
            load_run_file_id=file_id,
            content=arrival.content,
        )
        ingest.note_malformed(connection, extract, file_id, intake)
        runs.complete_file(connection, file_id, intake)
        locks.tables(connection, [extract], wait_ms=LOCK_WAIT_MS)
        build.build(connection, change, space)
        counts = diff.compute(connection, change, space).counts
        publish.apply(connection, change, space, counts)
        publish.note_rejections(connection, change, space)
        builds.note_read(connection, extract, {file_id: intake.canonical})
        downstream.note(connection, change, space, counts)
        space.clear(connection, extract)
    loaded.files += 1
    loaded.records += intake.ingested
    loaded.rejected += intake.rejected + counts.rejected
    return counts
