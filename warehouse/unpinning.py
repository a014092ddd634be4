"""Lets raw decide again over the rows that a restore keeps pinned: the pins go, their keys are folded anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from warehouse import aside, before_images, build, diff, downstream, journal, locks, pins, publish
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.diff import Diff
from warehouse.errors import TellableError
from warehouse.failpoints import failpoint
from warehouse.journal import Writer
from warehouse.registry import Extract, Registry
from warehouse.reprocess import LOCK_WAIT_MS, ChangedSincePreviewError

UNPIN = "unpin"


class NothingPinnedError(TellableError):
    """No row is pinned by that restore. Nothing was changed."""


@dataclass
class Unpinned:
    """By table: what changes in staging, a masked sample of it, and how many pins go."""

    diffs: dict[str, Diff] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pins: dict[str, int] = field(default_factory=dict)


def preview(connection: psycopg.Connection, registry: Registry, restore: UUID, writer: Writer) -> Unpinned:
    """The dry run of execute(): everything that it does is undone again. Raises NothingPinnedError, BusyError."""
    try:
        with connection.transaction(force_rollback=True):
            return _let_raw_decide(connection, registry, restore, writer, expected=None)
    finally:
        aside.sweep(connection, writer.job_id)


def execute(
    connection: psycopg.Connection,
    registry: Registry,
    restore: UUID,
    writer: Writer,
    *,
    expected: Mapping[str, Diff] | None,
) -> dict[str, Any]:
    """Drop the pins of the job `restore` and fold their keys anew, in one transaction; the outcome, also when it had
    been done. Raises NothingPinnedError, ChangedSincePreviewError, BusyError, LostFenceError: nothing was changed.
    """
    journal.raise_fence(connection, writer)
    aside.sweep(connection, writer.job_id)
    if outcome := journal.done(connection, writer.job_id, UNPIN):
        return outcome
    try:
        with connection.transaction():
            journal.hold_fence(connection, writer)
            done = _let_raw_decide(connection, registry, restore, writer, expected)
            outcome = {
                "tables": {table: {**found.as_json(), "pins": done.pins[table]} for table, found in done.diffs.items()},
                "restore": str(restore),
            }
            journal.record(connection, writer, UNPIN, outcome)
            journal.effect(connection, writer, UNPIN, outcome)
            failpoint("unpinning")
        downstream.settle(connection)
    finally:
        aside.sweep(connection, writer.job_id)
    return outcome


def _let_raw_decide(
    connection: psycopg.Connection,
    registry: Registry,
    restore: UUID,
    writer: Writer,
    expected: Mapping[str, Diff] | None,
) -> Unpinned:
    pinned = pins.of_job(connection, restore)
    extracts = [extract for extract in registry.extracts if extract.table in pinned]
    if not extracts:
        raise NothingPinnedError("That restore keeps no row pinned: raw decides over all of them already.")
    locks.tables(connection, extracts, wait_ms=LOCK_WAIT_MS)
    found, space = Unpinned(), Workspace(writer.tag)
    for extract in extracts:
        change = Change(extract, asked=_asked(connection, extract, restore, space))
        found.pins[extract.table] = pins.drop_of_job(connection, extract, restore)
        build.build(connection, change, space)
        found.diffs[extract.table] = diff.compute(connection, change, space)
        found.samples[extract.table] = diff.sample(connection, change, space)
        before_images.keep(connection, change, space, writer)
        publish.apply(connection, change, space, found.diffs[extract.table].counts)
        downstream.note(connection, change, space, found.diffs[extract.table].counts, writer.job_id)
    _refuse_other_than(expected, found.diffs)
    return found


def _asked(connection: psycopg.Connection, extract: Extract, restore: UUID, space: Workspace) -> sql.Identifier:
    table = space.table(extract, "asked")
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} AS {}").format(table, pins.keys_of_job(extract, restore)))
    return table


def _refuse_other_than(expected: Mapping[str, Diff] | None, found: Mapping[str, Diff]) -> None:
    if expected is not None and dict(expected) != dict(found):
        raise ChangedSincePreviewError(
            "Staging, its raw records or the pins have changed since the preview. Nothing was changed; ask for it"
            " again to see what it would do now."
        )
