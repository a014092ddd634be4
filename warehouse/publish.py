"""Carries a diff into staging: only the rows that change, the counts checked; and notes which checks records broke."""

from collections.abc import Iterable

import psycopg
from psycopg import sql

from warehouse import hashes, names, pins, transform
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.diff import Counts
from warehouse.errors import TellableError


class CountMismatchError(TellableError):
    """A statement wrote another number of rows than the diff says; the transaction must not be committed."""


def apply(
    connection: psycopg.Connection, change: Change, space: Workspace, counts: Counts, ids: dict[int, int] | None = None
) -> None:
    """DELETE, UPDATE and INSERT as `diff` says. `ids`: the real attempt of each stand-in.

    Where more than half of the rows change, they are deleted and inserted: measured, that is quicker than updating
    them. Not where staging has columns of its own, which would be lost. Where as many rows are due as there are, those
    are all of them, and none has to be looked up. Raises CountMismatchError, after which the transaction must be rolled
    back.
    """
    extract = change.extract
    parts = {
        "stg": names.staging(extract),
        "diff": space.table(extract, "diff"),
        "typed": space.table(extract, "typed"),
        "tally": space.table(extract, "tally"),
        "columns": names.staged(extract),
        "values": names.staged(extract, of="b"),
        "owner": _owner(ids or {}),
    }
    rows = counts.updated + counts.unchanged + counts.kept_newer
    replaced = (counts.updated + counts.rewritten) * 2 > rows and not extract.staging_only
    hashes.made_by_us(connection)
    for statement, classes in _REPLACE if replaced else _MERGE:
        due = sum(getattr(counts, name) for name in classes)
        if not due:
            continue
        parts |= {"classes": sql.Literal(list(classes)), "due": sql.Literal(due)}
        if statement in _OVER_ALL:
            number, over_all = _OVER_ALL[statement]
            found = connection.execute(sql.SQL(number).format(**parts)).fetchone()
            statement = over_all if found == (due,) else statement
        wrote = connection.execute(sql.SQL(statement).format(**parts)).rowcount
        if wrote != due:
            raise CountMismatchError(
                f"stg.{extract.table}: {wrote} rows were {' or '.join(classes)} where {due} were due."
            )
    hashes.made_by_trigger(connection)
    pins.release(connection, extract, space.table(extract, "keys"))


def own_anew(connection: psycopg.Connection, change: Change, space: Workspace, left: Iterable[int]) -> None:
    """A row that stays as it is, but was made by an attempt that has left, is owned by the one that wins it now."""
    connection.execute(
        sql.SQL(
            "UPDATE {stg} s SET load_run_file_id = w.load_run_file_id FROM {keys} w"
            " WHERE {same} AND w.place IS NOT NULL AND s.load_run_file_id = ANY({left})"
        ).format(
            stg=names.staging(change.extract),
            keys=space.table(change.extract, "keys"),
            same=names.same_key(change.extract, "s", "w"),
            left=names.integers(left),
        )
    )


_DELETE = (
    "DELETE FROM {stg} s USING {diff} k WHERE s.ctid = k.there AND s.tableoid = k.there_in AND k.class = ANY({classes})"
)
_UPDATE = (
    "UPDATE {stg} s SET ({columns}, row_hash, load_run_file_id, load_ts) = ROW({values}, k.after_hash, {owner}, now())"
    " FROM {diff} k JOIN {typed} b ON b.ctid = k.place"
    " WHERE s.ctid = k.there AND s.tableoid = k.there_in AND k.class = ANY({classes})"
)
_INSERT = (
    "INSERT INTO {stg} ({columns}, row_hash, load_run_file_id, load_ts) SELECT {values}, k.after_hash, {owner}, now()"
    " FROM {diff} k JOIN {typed} b ON b.ctid = k.place WHERE k.class = ANY({classes})"
)
# How many rows there are that the statement could write (at most one more than are due), and the same over all of them.
_OVER_ALL = {
    _DELETE: ("SELECT count(*) FROM (SELECT FROM {stg} LIMIT {due} + 1) s", "DELETE FROM {stg}"),
    _INSERT: (
        "SELECT valid FROM {tally}",
        "INSERT INTO {stg} ({columns}, row_hash, load_run_file_id, load_ts)"
        " SELECT {values}, b.row_hash, {owner}, now() FROM {typed} b WHERE b.row_hash IS NOT NULL",
    ),
}
# Statements in order, each with the classes that it carries out.
_MERGE = ((_DELETE, ("deleted",)), (_UPDATE, ("updated", "rewritten")), (_INSERT, ("inserted",)))
_REPLACE = ((_DELETE, ("deleted", "updated", "rewritten")), (_INSERT, ("inserted", "updated", "rewritten")))


def note_rejections(
    connection: psycopg.Connection, change: Change, space: Workspace, ids: dict[int, int] | None = None
) -> None:
    """Keep which checks the change's own records broke: column, value class and reason, never a value."""
    listed = transform.checks(change.extract)
    rows = sql.SQL(", ").join(
        sql.SQL("({}, {}, {}, {})").format(*map(sql.Literal, (number, check.column, check.reason, check.severity)))
        for number, check in enumerate(listed, start=1)
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO restage.rejections (load_run_file_id, extract_type, stage, record_no, column_name,"
            " value_class, reason, severity) SELECT {owner}, {extract}, 'transform', coalesce(b.record_no, 0),"
            " c.column_name, p.class, c.reason, c.severity FROM {typed} b"
            " CROSS JOIN LATERAL unnest(b.problems, b.problem_classes) p (number, class)"
            " JOIN (VALUES {rows}) c (number, column_name, reason, severity) USING (number)"
            " WHERE b.load_run_file_id = ANY({new}) AND b.problems IS NOT NULL"
        ).format(
            owner=_owner(ids or {}),
            extract=sql.Literal(change.extract.name),
            typed=space.table(change.extract, "typed"),
            rows=rows,
            new=names.integers(change.new),
        )
    )


def _owner(ids: dict[int, int]) -> sql.Composable:
    """The attempt that owns a built row: itself, or the real one of a stand-in."""
    if not ids:
        return sql.SQL("b.load_run_file_id")
    cases = sql.SQL(" ").join(sql.SQL("WHEN {} THEN {}").format(*map(sql.Literal, pair)) for pair in ids.items())
    return sql.SQL("CASE b.load_run_file_id {} ELSE b.load_run_file_id END").format(cases)
