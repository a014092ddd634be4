"""Carries a diff into staging: only the rows that change, the counts checked; and notes which checks records broke."""

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
    them. Not where staging has columns of its own, which would be lost. Raises CountMismatchError, after which the
    transaction must be rolled back.
    """
    extract = change.extract
    parts = {
        "stg": names.staging(extract),
        "diff": space.table(extract, "diff"),
        "typed": space.table(extract, "typed"),
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
        parts["classes"] = sql.Literal(list(classes))
        wrote = connection.execute(sql.SQL(statement).format(**parts)).rowcount
        if wrote != due:
            raise CountMismatchError(
                f"stg.{extract.table}: {wrote} rows were {' or '.join(classes)} where {due} were due."
            )
    hashes.made_by_trigger(connection)
    pins.release(connection, extract, space.table(extract, "keys"))


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
            " value_class, reason, severity)"
            " SELECT {owner}, {extract}, 'transform', coalesce(b.record_no, 0), c.column_name,"
            " restage.value_class(restage.clean(to_jsonb(r) ->> c.column_name)), c.reason, c.severity"
            " FROM {typed} b CROSS JOIN LATERAL unnest(b.problems) p"
            " JOIN (VALUES {rows}) c (number, column_name, reason, severity) ON c.number = p"
            " LEFT JOIN {raw} r ON r.load_run_file_id = b.load_run_file_id AND r.record_no = b.record_no"
            " WHERE b.load_run_file_id = ANY({new}) AND b.problems IS NOT NULL"
        ).format(
            owner=_owner(ids or {}),
            extract=sql.Literal(change.extract.name),
            typed=space.table(change.extract, "typed"),
            rows=rows,
            raw=change.arrived_in or names.raw(change.extract),
            new=names.integers(change.new),
        )
    )


def _owner(ids: dict[int, int]) -> sql.Composable:
    """The attempt that owns a built row: itself, or the real one of a stand-in."""
    if not ids:
        return sql.SQL("b.load_run_file_id")
    cases = sql.SQL(" ").join(sql.SQL("WHEN {} THEN {}").format(*map(sql.Literal, pair)) for pair in ids.items())
    return sql.SQL("CASE b.load_run_file_id {} ELSE b.load_run_file_id END").format(cases)
