"""Safety sets: what a restore is about to replace, archived before it and in its transaction."""

from datetime import timedelta

import psycopg
from psycopg import sql

from warehouse import archiving, names, single
from warehouse.archive_sets import ArchiveSet, Part
from warehouse.build import Workspace
from warehouse.journal import Writer
from warehouse.registry import Extract

KEPT_FOR = timedelta(days=90)


def begin(connection: psycopg.Connection, part: Part, writer: Writer) -> ArchiveSet:
    """A set without parts, under the load run of the set that is restored; its rows keep the owners that they had."""
    return archiving.begin(
        connection,
        part.load_run_id,
        reason=f"replaced by a restore of set {part.set_id}",
        expires_at=single.now(connection) + KEPT_FOR,
        writer=writer,
        kind=archiving.SAFETY,
    )


def keep(connection: psycopg.Connection, extract: Extract, safety: ArchiveSet, space: Workspace) -> int:
    """Archive the rows of staging that `diff` is about to replace; how many."""
    chosen = sql.SQL(  # a semi-join, so that the narrow table is the hashed one and the wide rows stream by
        "{stg} s WHERE EXISTS (SELECT FROM {diff} k WHERE k.there = s.ctid AND k.there_in = s.tableoid"
        " AND k.class = 'updated')"
    ).format(diff=space.table(extract, "diff"), stg=names.staging(extract))
    return archiving.keep(connection, extract, safety, chosen)
