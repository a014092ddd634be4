"""Builds aside what staging is to hold after a Change: the touched keys, their candidates, the winners."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from warehouse import change as changes
from warehouse import names, pins, transform
from warehouse.change import Change
from warehouse.registry import Extract

PARTS = ("raw", "files", "typed", "touched", "keys", "beaten", "tally", "changed", "diff")


@dataclass(frozen=True)
class Workspace:
    """The tables of restage_build that belong together: one set for each extract, marked with `tag`."""

    tag: str

    def table(self, extract: Extract, part: str) -> sql.Identifier:
        return sql.Identifier("restage_build", f"{extract.table}_{part}_{self.tag}")

    def clear(self, connection: psycopg.Connection, extract: Extract, *parts: str) -> None:
        """Drop the extract's tables (all, or these parts)."""
        tables = sql.SQL(", ").join(self.table(extract, part) for part in parts or PARTS)
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(tables))


def build(connection: psycopg.Connection, change: Change, space: Workspace) -> None:
    """Make `files`, `typed`, `keys`, `beaten` and `tally` of the workspace.

    `typed` holds the records of the change's own attempts and the other candidates for their keys; `keys` every
    touched key with the winner of the fold: its `place` (ctid) in `typed`, its attempt and its row_hash, all NULL where
    no valid record is left; of a pinned key that no later record wins there is the row_hash only. `beaten` are the keys
    that the own attempts have records of and do not win; `tally` is one row of numbers that do not depend on what
    staging holds.
    """
    extract = change.extract
    space.clear(connection, extract, *(part for part in PARTS if part != "raw"))
    files, typed, keys = (space.table(extract, part) for part in ("files", "typed", "keys"))
    decided_by = (*extract.natural_key, "load_run_file_id", "record_no", "row_hash", "problems")
    _make(connection, files, changes.attempts(change))
    _make(connection, typed, transform.typed_rows(extract, changes.own_records(change)), known=decided_by)
    if _others(connection, change, files):
        touched = space.table(extract, "touched")
        _make(connection, touched, changes.touched_keys(change, typed))
        candidates = transform.typed_rows(extract, changes.other_candidates(change, touched, files))
        connection.execute(sql.SQL("INSERT INTO {} {}").format(typed, candidates))
        _analyze(connection, typed, decided_by)
    _make(
        connection,
        keys,
        changes.winners(change, typed, files),
        known=(*extract.natural_key, "load_run_file_id", "row_hash"),
    )
    pins.hold(connection, extract, keys, files)
    beaten = space.table(extract, "beaten")
    _make(connection, beaten, _beaten(change, typed, keys))
    _make(connection, space.table(extract, "tally"), _tally(change, typed, keys, beaten))


def _others(connection: psycopg.Connection, change: Change, files: sql.Identifier) -> bool:
    """Whether attempts are live that the change says nothing of."""
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE load_run_file_id <> ALL({}))")
    found = connection.execute(query.format(files, names.integers(change.new))).fetchone()
    return bool(found and found[0])


def _beaten(change: Change, typed: sql.Identifier, keys: sql.Identifier) -> sql.Composed:
    """SELECT of the keys of own records that no own record wins: had the attempts a valid one, a refused one?"""
    return sql.SQL(
        "SELECT {key}, bool_or(v.row_hash IS NOT NULL) AS accepted, bool_or(v.row_hash IS NULL) AS refused"
        " FROM {keys} k JOIN {typed} v ON {same} WHERE (k.load_run_file_id = ANY({new})) IS NOT TRUE"
        " AND v.load_run_file_id = ANY({new}) GROUP BY {key}"
    ).format(
        key=names.key(change.extract, of="v"),
        keys=keys,
        typed=typed,
        same=names.same_key(change.extract, "k", "v"),
        new=names.integers(change.new),
    )


def _tally(change: Change, typed: sql.Identifier, keys: sql.Identifier, beaten: sql.Identifier) -> sql.Composed:
    """SELECT of one row: own records, rejected ones; valid records of all; keys with a winner, with an own one; beaten
    keys."""
    return sql.SQL(
        "SELECT * FROM (SELECT count(*) FILTER (WHERE own) AS records,"
        " count(*) FILTER (WHERE own AND row_hash IS NULL) AS rejected, count(row_hash) AS valid"
        " FROM (SELECT row_hash, load_run_file_id = ANY({new}) AS own FROM {typed}) v) r,"
        " (SELECT count(*) AS keys, count(row_hash) AS winners,"
        " count(*) FILTER (WHERE load_run_file_id = ANY({new})) AS own_winners FROM {keys}) k,"
        " (SELECT count(*) FILTER (WHERE accepted) AS accepted FROM {beaten}) b, ({pins}) p"
    ).format(typed=typed, keys=keys, beaten=beaten, new=names.integers(change.new), pins=pins.seal(change.extract))


def outdated(connection: psycopg.Connection, change: Change, space: Workspace) -> bool:
    """Whether attempts went live or left, or pins came or went, since the build: it must then be made again."""
    now, then = changes.attempts(change), space.table(change.extract, "files")
    query = sql.SQL(
        "SELECT EXISTS ((({now}) EXCEPT TABLE {then}) UNION ALL (TABLE {then} EXCEPT ({now})))"
        " OR (SELECT pins FROM {tally}) <> ({pins})"
    )
    tally, sealed = space.table(change.extract, "tally"), pins.seal(change.extract)
    found = connection.execute(query.format(now=now, then=then, tally=tally, pins=sealed)).fetchone()
    return bool(found and found[0])


def _make(
    connection: psycopg.Connection, table: sql.Identifier, query: sql.Composable, *, known: tuple[str, ...] = ()
) -> None:
    """`known`: the columns by which it will be read (none: all)."""
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} AS {}").format(table, query))
    _analyze(connection, table, known)


def _analyze(connection: psycopg.Connection, table: sql.Identifier, known: tuple[str, ...]) -> None:
    """Statistics of 200 wide columns cost seconds: only of those that are `known`."""
    of = sql.SQL("({})").format(names.columns(known)) if known else sql.SQL("")
    connection.execute(sql.SQL("ANALYZE {} {}").format(table, of))
