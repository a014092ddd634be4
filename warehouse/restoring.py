"""Puts an archive set back: into staging, key by key and never over a newer owner unless asked to, or beside it.

preview() is the dry run of execute(): it classifies every key and writes nothing outside restage_build. execute() does
it once more with staging locked, keeps what it replaces in a safety set, writes, pins what the fold would not make, and
proves by checksum that staging holds the rows of the set. Raw stays as it is. To restore a set twice changes nothing
the second time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import (
    archive_holds,
    archive_sources,
    archive_tables,
    aside,
    cooling,
    downstream,
    drift,
    hashes,
    journal,
    locks,
    names,
    pins,
    restore_classes,
    restore_sample,
    safety,
    side_tables,
)
from warehouse.archive_sets import ArchiveSet, Part
from warehouse.archive_sources import Source
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.cold_sealing import Tier
from warehouse.diff import Counts
from warehouse.drift import DriftError, Fit
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.progress import Progress, Told, nobody
from warehouse.publish import CountMismatchError
from warehouse.registry import Extract, Registry
from warehouse.reprocess import LOCK_WAIT_MS, ChangedSincePreviewError
from warehouse.restore_classes import FAIL, SKIP, Classes

RESTORE = "restore"
STAGING, SIDE = "staging", "side"
INTO = (STAGING, SIDE)
CHANGED = "has changed since the preview of this restore"


class CannotRestoreError(TellableError):
    """The set cannot be restored as asked; the message says why and what can be done. Nothing was changed."""


@dataclass(frozen=True)
class Wish:
    """What was asked for. `tables`: of these only (none: all of the set). `renamed`: column of the set → column of
    staging, "" to leave it out, for every table that has it."""

    set_id: UUID
    tables: tuple[str, ...] = ()
    into: str = STAGING
    on_newer: str = SKIP
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ready:
    """A part with its extract and, for staging, how its columns fit."""

    extract: Extract
    part: Part
    source: Source
    fit: Fit


@dataclass
class Previewed:
    """By table: what would happen, a masked sample, what is to be known of the columns; and the parts."""

    classes: dict[str, Classes] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)


def preview(
    connection: psycopg.Connection,
    registry: Registry,
    wish: Wish,
    writer: Writer,
    told: Told = nobody,
    tier: Tier | None = None,
) -> Previewed:
    """The dry run of execute(). The set is in use from here on (archive_holds.disuse()).

    `tier`: where the rows of a set lie that is not in the archive tables. Raises NoSuchSetError, RemovedError,
    NotThereError, DriftError, CannotRestoreError, DamagedError, StoreError, UnreachableStoreError.
    """
    found, space = Previewed(), Workspace(writer.tag)
    _use(connection, wish, writer)
    try:
        for ready in _ready(connection, registry, wish, writer, tier, told):
            table = ready.extract.table
            told(Progress(f"compare stg.{table} with the set"))
            found.parts.append(ready.part)
            found.told[table] = ready.fit.told
            if wish.into == SIDE:
                found.classes[table] = Classes()
                continue
            _stage(connection, ready, space)
            found.classes[table] = _classify(connection, ready, space, wish)
            found.samples[table] = restore_sample.sample(connection, ready.extract, ready.source, ready.fit, space)
            space.clear(connection, ready.extract, *restore_classes.PARTS)
    finally:
        aside.sweep(connection, writer.job_id)
    return found


def refused(wish: Wish, found: Mapping[str, Classes]) -> str:
    """Why it may not go on as asked ("": it may)."""
    newer = {table: classes.newer for table, classes in found.items() if classes.newer}
    if wish.on_newer != FAIL or not newer:
        return ""
    told = ", ".join(f"{keys:,} keys of stg.{table}" for table, keys in newer.items())
    return f"A newer owner has {told}, and it was to fail then. Staging is unchanged."


def execute(
    connection: psycopg.Connection,
    registry: Registry,
    wish: Wish,
    writer: Writer,
    *,
    expected: Mapping[str, Classes] | None,
    told: Told = nobody,
    tier: Tier | None = None,
) -> dict[str, Any]:
    """Restore on behalf of `writer`, in one transaction; the outcome, also when it had been done.

    `expected`: what was approved, by table. `tier`: as preview() takes it. Raises what preview() raises, and
    ChangedSincePreviewError, BusyError, LostFenceError: nothing was changed.
    """
    journal.raise_fence(connection, writer)
    aside.sweep(connection, writer.job_id)
    if outcome := journal.done(connection, writer.job_id, RESTORE):
        return outcome
    space = Workspace(writer.tag)
    try:
        _use(connection, wish, writer)
        chosen = _ready(connection, registry, wish, writer, tier, told)
        failpoint("restore uses")
        carried: set[str] = set()
        if wish.into == STAGING:
            for ready in chosen:
                told(Progress(f"read the set's rows of stg.{ready.extract.table}"))
                archive_tables.make_ahead(connection, ready.extract, datetime.now(UTC))
                if _stage(connection, ready, space):
                    carried.add(ready.extract.table)
        failpoint("restore staged")
        told(Progress("restore"))
        with connection.transaction():
            journal.hold_fence(connection, writer)
            if wish.into == SIDE:
                outcome = _beside(connection, chosen, writer)
            else:
                outcome = _put_back(connection, chosen, carried, wish, writer, space, expected)
            archive_holds.disuse(connection, writer.job_id)
            journal.record(connection, writer, RESTORE, outcome)
            journal.effect(connection, writer, RESTORE, outcome)
            failpoint("restoring")
        failpoint("restored")
        downstream.settle(connection)
    finally:
        aside.sweep(connection, writer.job_id)
    return outcome


def _ready(
    connection: psycopg.Connection, registry: Registry, wish: Wish, writer: Writer, tier: Tier | None, told: Told
) -> list[Ready]:
    """The parts in the registry's order. Raises NoSuchSetError, RemovedError, NotThereError, DriftError,
    CannotRestoreError."""
    parts = {part.table_name: part for part in archive_sources.chosen(connection, wish.set_id, wish.tables)}
    known = {extract.table: extract for extract in registry.extracts}
    if undeclared := sorted(parts.keys() - known.keys()):
        raise CannotRestoreError(f"Nothing declares the table {', '.join(undeclared)} any more. Declare it again.")
    found = []
    for extract in registry.extracts:
        if part := parts.get(extract.table):
            if tier is None or part.hot or part.cold is None:
                source = archive_sources.source(connection, part)
            else:
                source = _from_files(connection, tier, part, writer, told)
            renamed = {old: new for old, new in wish.renamed.items() if old in source.columns}
            fit = Fit() if wish.into == SIDE else drift.fit(connection, extract, part, source, renamed)
            found.append(Ready(extract, part, source, fit))
    if strange := sorted(set(wish.renamed) - {name for ready in found for name in ready.source.columns}):
        raise DriftError(f"The set has no column {', '.join(strange)}. Nothing was changed.")
    return found


def _use(connection: psycopg.Connection, wish: Wish, writer: Writer) -> None:
    """Keep the set from being removed until disuse(), or until the job is over."""
    with connection.transaction():
        archive_holds.use(connection, wish.set_id, writer.job_id)


def _from_files(connection: psycopg.Connection, tier: Tier, part: Part, writer: Writer, told: Told) -> Source:
    """The rows of a part that lies in files only, read into a table aside; every file is verified before."""
    into = sql.Identifier("restage_build", f"{part.table_name}_cold_{writer.tag}")
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(into))
    loaded = cooling.bring(connection, tier, part, into=into, told=told)
    columns = {column["name"]: column["type"] for column in loaded.columns}
    return Source(columns, sql.SQL("SELECT {} FROM {}").format(names.columns([*columns]), into))


def _stage(connection: psycopg.Connection, ready: Ready, space: Workspace) -> bool:
    """Read the part's rows, and make sure that they are those that were archived; whether the hashes that the set keeps
    are those that staging wants. Raises CannotRestoreError."""
    restore_classes.stage(connection, ready.extract, ready.part, ready.source, ready.fit, space)
    carried = restore_classes.demand_whole(connection, ready.extract, ready.part, ready.source, space)
    gone = connection.execute(
        sql.SQL(
            "SELECT DISTINCT k.load_run_file_id FROM {} k WHERE NOT EXISTS"
            " (SELECT FROM etl.load_run_files f WHERE f.load_run_file_id = k.load_run_file_id AND f.extract_type = {})"
            " ORDER BY 1 LIMIT 5"
        ).format(space.table(ready.extract, "set"), sql.Literal(ready.extract.name))
    ).fetchall()
    if gone:
        files = ", ".join(str(file) for (file,) in gone)
        raise CannotRestoreError(
            f"The rows of stg.{ready.extract.table} were made by files {files}, which etl.load_run_files does not list"
            f" as {ready.extract.name} any more: staging would hold rows of nowhere. Nothing was changed. Restore into"
            " a side table, or have the files listed again."
        )
    return carried


def _classify(connection: psycopg.Connection, ready: Ready, space: Workspace, wish: Wish) -> Classes:
    return restore_classes.classify(connection, ready.extract, ready.part, ready.fit, space, wish.on_newer)


def _put_back(
    connection: psycopg.Connection,
    chosen: list[Ready],
    carried: set[str],
    wish: Wish,
    writer: Writer,
    space: Workspace,
    expected: Mapping[str, Classes] | None,
) -> dict[str, Any]:
    locks.tables(connection, [ready.extract for ready in chosen], wait_ms=LOCK_WAIT_MS)
    found = {ready.extract.table: _classify(connection, ready, space, wish) for ready in chosen}
    if why := refused(wish, found):
        raise CannotRestoreError(why)
    _refuse_other_than(expected, found)
    kept: ArchiveSet | None = None
    if any(classes.updated for classes in found.values()):
        kept = safety.begin(connection, chosen[0].part, writer)
    tables = {}
    for ready in chosen:
        classes, carries = found[ready.extract.table], ready.extract.table in carried
        replaced = _write(connection, ready, classes, writer, space, kept, carries=carries) if classes.written else 0
        tables[ready.extract.table] = {**classes.as_json(), "replaced": replaced}
    return {
        "tables": tables,
        "set": str(wish.set_id),
        "safety_set": str(kept.set_id) if kept else None,
        "proven": sum(classes.written for classes in found.values()),
    }


def _write(
    connection: psycopg.Connection,
    ready: Ready,
    classes: Classes,
    writer: Writer,
    space: Workspace,
    kept: ArchiveSet | None,
    *,
    carries: bool,
) -> int:
    """Under the lock: safety set, delete, insert, pins, what must follow, proof. How many rows were replaced.

    `carries`: the set keeps the hash of each row as staging wants it; otherwise it is made anew.
    """
    extract, diff = ready.extract, space.table(ready.extract, "diff")
    replaced = 0
    if kept and classes.updated:
        replaced = safety.keep(connection, extract, kept, space)
        gone = connection.execute(sql.SQL(_DELETE).format(stg=names.staging(extract), diff=diff)).rowcount
        _demand(extract, "kept in the safety set", replaced, classes.updated)
        _demand(extract, "replaced", gone, classes.updated)
    failpoint("restore deleted")
    hashes.made_by_us(connection)
    whole = classes.written == ready.part.rows
    written, checksum = connection.execute(
        sql.SQL(_INSERT_WHOLE if whole else _INSERT).format(
            stg=names.staging(extract),
            columns=names.columns(ready.fit.written),
            values=names.columns(ready.fit.written, of="m"),
            made=sql.Identifier("m", hashes.COLUMN) if carries else hashes.of_row(extract, "m"),
            rows=ready.fit.hashed_rows(ready.source) if carries else ready.fit.rows(ready.source),
            diff=diff,
            k_m=names.same_key(extract, "k", "m"),
            stored=hashes.of_row(extract, "s"),
            meta=restore_classes.meta(extract, ready.fit, "s"),
        )
    ).fetchone() or (0, None)
    hashes.made_by_trigger(connection)
    _demand(extract, "written", written, classes.written)
    pinned = pins.write(connection, extract, diff, ready.part.set_id, writer.job_id)
    _demand(extract, "pinned", pinned, classes.pinned)
    counts = Counts(inserted=classes.inserted, updated=classes.updated)
    downstream.note(connection, Change(extract), space, counts, writer.job_id)
    restore_classes.prove(connection, extract, ready.fit, space, checksum)
    return replaced


_DELETE = (
    "DELETE FROM {stg} s USING {diff} k WHERE s.ctid = k.there AND s.tableoid = k.there_in AND k.class = 'updated'"
)
_INSERT = (
    "WITH w AS (INSERT INTO {stg} AS s ({columns}, row_hash) SELECT {values}, k.after_hash FROM ({rows}) m"
    " JOIN {diff} k ON {k_m} WHERE k.class IN ('inserted', 'updated') RETURNING {stored} AS stored, {meta} AS meta)"
    " SELECT count(*), sum(stored) + sum(meta) FROM w"
)
_INSERT_WHOLE = (  # every row of the part: no key has to be looked up
    "WITH w AS (INSERT INTO {stg} AS s ({columns}, row_hash) SELECT {values}, {made} FROM ({rows}) m"
    " RETURNING {stored} AS stored, {meta} AS meta) SELECT count(*), sum(stored) + sum(meta) FROM w"
)


def _demand(extract: Extract, what: str, found: int, due: int) -> None:
    """Raises CountMismatchError, after which the transaction must be rolled back."""
    if found != due:
        raise CountMismatchError(f"stg.{extract.table}: {found:,} rows were {what} where {due:,} were due.")


def _beside(connection: psycopg.Connection, chosen: list[Ready], writer: Writer) -> dict[str, Any]:
    """Put each part into a table of its own. Raises CannotRestoreError where rows are missing."""
    tables, made = {}, {}
    for ready in chosen:
        side = side_tables.make(connection, ready.extract, ready.source.rows, writer, set_id=ready.part.set_id)
        if side.rows != ready.part.rows:
            raise CannotRestoreError(
                f"The archive holds {side.rows:,} of the {ready.part.rows:,} rows that the set had of"
                f" stg.{ready.extract.table}: it is damaged. Nothing was changed."
            )
        tables[ready.extract.table] = {**Classes().as_json(), "replaced": 0}
        made[ready.extract.table] = {
            "name": f"{side_tables.SCHEMA}.{side.name}",
            "rows": side.rows,
            "expires_at": side.expires_at.isoformat(),
        }
    return {"tables": tables, "side": made, "set": str(chosen[0].part.set_id), "safety_set": None, "proven": 0}


def _refuse_other_than(expected: Mapping[str, Classes] | None, found: Mapping[str, Classes]) -> None:
    if expected is None:
        return
    for table in sorted({*expected, *found}):
        if expected.get(table) != found.get(table):
            raise ChangedSincePreviewError(
                f"stg.{table} {CHANGED}: the restore would do something else now than what was approved. Nothing was"
                " changed. It is planned anew and asks again where it must."
            )
