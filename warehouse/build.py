"""Builds aside what staging is to hold after a Change: the touched keys, their candidates, the winners."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from warehouse import change as changes
from warehouse import hashes, names, transform
from warehouse.change import Change
from warehouse.registry import Extract

OWNER = "load_run_file_id"
PARTS = ("raw", "files", "keys", "built", "winners", "marks", "typed", "diff")


@dataclass(frozen=True)
class Workspace:
    """The tables of restage_build that belong together: one set for each extract, marked with `tag`."""

    tag: str

    def table(self, extract: Extract, part: str) -> sql.Identifier:
        return sql.Identifier("restage_build", f"{extract.table}_{part}_{self.tag}")

    def clear(self, connection: psycopg.Connection, extract: Extract, *parts: str) -> None:
        """Drop the extract's tables (all, or these parts)."""
        for part in parts or PARTS:
            kind = sql.SQL("VIEW" if part == "built" else "TABLE")
            connection.execute(sql.SQL("DROP {} IF EXISTS {}").format(kind, self.table(extract, part)))


def build(connection: psycopg.Connection, change: Change, space: Workspace) -> None:
    """Make `files`, `keys`, `typed`, `marks`, `winners` and `built` of the workspace.

    `marks` is `typed` without its wide columns; `winners` names the row of `typed` that wins each key; the view `built`
    holds at most one row a touched key: the winner of the fold, with `load_run_file_id` of its attempt. A key
    that is in `keys` and not in `built` has no valid record left.
    """
    extract = change.extract
    space.clear(connection, extract, "built", "winners", "marks", "files", "keys", "typed", "diff")
    files, keys, typed = (space.table(extract, part) for part in ("files", "keys", "typed"))
    _make(connection, files, changes.attempts(change))
    _make(connection, keys, changes.touched_keys(change))
    candidates = changes.candidates(change, keys, files)
    _make(connection, typed, transform.typed_rows(extract, candidates), known=(*extract.natural_key, OWNER))
    marks, winners = space.table(extract, "marks"), space.table(extract, "winners")
    _make(connection, marks, _marks(extract, typed), known=(*extract.natural_key, OWNER))
    best = sql.SQL(
        "SELECT DISTINCT ON ({key}) {key}, v.load_run_file_id, v.place, v.row_hash"
        " FROM {marks} v JOIN {files} a USING (load_run_file_id) WHERE v.valid ORDER BY {key}, {precedence}"
    ).format(key=names.key(extract, of="v"), marks=marks, files=files, precedence=changes.precedence(extract))
    _make(connection, winners, best, known=(*extract.natural_key, OWNER))
    connection.execute(
        sql.SQL(
            "CREATE VIEW {built} AS SELECT {key}, {rest}, w.load_run_file_id"
            " FROM {winners} w JOIN {typed} v ON v.ctid = w.place"
        ).format(
            built=space.table(extract, "built"),
            key=names.key(extract, of="w"),
            rest=names.columns([c.name for c in extract.staged if c.name not in extract.natural_key], of="v"),
            winners=winners,
            typed=typed,
        )
    )


def _marks(extract: Extract, typed: sql.Identifier) -> sql.Composed:
    """SELECT of what decides over a typed row, and where it lies: the wide rows are then read no more than needed."""
    updated = extract.record_updated_at
    columns = [*extract.natural_key, *([updated] if updated and updated not in extract.natural_key else [])]
    return sql.SQL(
        "SELECT {columns}, v.load_run_file_id, v.record_no, v.ctid AS place, {valid} AS valid,"
        " CASE WHEN {valid} THEN {row_hash} END AS row_hash FROM {typed} v"
    ).format(
        columns=names.columns(columns, of="v"),
        valid=changes.valid(extract),
        row_hash=hashes.of_row(extract, "v"),
        typed=typed,
    )


def outdated(connection: psycopg.Connection, change: Change, space: Workspace) -> bool:
    """Whether attempts went live or left since the build: it must then be made again."""
    now, then = changes.attempts(change), space.table(change.extract, "files")
    query = sql.SQL("SELECT EXISTS ((({now}) EXCEPT TABLE {then}) UNION ALL (TABLE {then} EXCEPT ({now})))")
    found = connection.execute(query.format(now=now, then=then)).fetchone()
    return bool(found and found[0])


def _make(
    connection: psycopg.Connection, table: sql.Identifier, query: sql.Composed, *, known: tuple[str, ...] = ()
) -> None:
    """`known`: the columns by which it will be joined (none: all). Statistics of 200 wide columns cost seconds."""
    connection.execute(sql.SQL("CREATE UNLOGGED TABLE {} AS {}").format(table, query))
    of = sql.SQL("({})").format(names.columns(known)) if known else sql.SQL("")
    connection.execute(sql.SQL("ANALYZE {} {}").format(table, of))
