"""Carries a diff into staging: only the rows that change, their before-image first, the counts checked."""

import psycopg
from psycopg import sql

from warehouse import hashes, names, transform
from warehouse.build import Workspace
from warehouse.change import Change
from warehouse.diff import Counts
from warehouse.errors import TellableError
from warehouse.registry import Extract


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
    owner = _owner(ids or {})
    parts: dict[str, sql.Composable] = {
        "stg": names.staging(extract),
        "diff": space.table(extract, "diff"),
        "built": space.table(extract, "built"),
        "k_s": names.same_key(extract, "k", "s"),
        "k_b": names.same_key(extract, "k", "b"),
        "columns": names.staged(extract),
        "values": names.staged(extract, of="b"),
        "owner": owner,
    }
    rows = counts.updated + counts.unchanged + counts.kept_newer
    way = _replace if counts.updated * 2 > rows and not extract.staging_only else _merge
    with hashes.followed(connection, extract, space.table(extract, "diff")):
        way(connection, extract, parts, counts)


def _merge(connection: psycopg.Connection, extract: Extract, parts: dict[str, sql.Composable], counts: Counts) -> None:
    deleted = connection.execute(
        sql.SQL("DELETE FROM {stg} s USING {diff} k WHERE k.class = 'deleted' AND {k_s}").format(**parts)
    ).rowcount
    updated = connection.execute(
        sql.SQL(
            "UPDATE {stg} s SET ({columns}, load_run_file_id, load_ts) = ROW({values}, {owner}, now())"
            " FROM {diff} k JOIN {built} b ON {k_b} WHERE k.class = 'updated' AND {k_s}"
        ).format(**parts)
    ).rowcount
    inserted = connection.execute(
        sql.SQL(
            "INSERT INTO {stg} ({columns}, load_run_file_id, load_ts) SELECT {values}, {owner}, now()"
            " FROM {diff} k JOIN {built} b ON {k_b} WHERE k.class = 'inserted'"
        ).format(**parts)
    ).rowcount
    _refuse_other(extract, (inserted, updated, deleted), (counts.inserted, counts.updated, counts.deleted))


def _replace(
    connection: psycopg.Connection, extract: Extract, parts: dict[str, sql.Composable], counts: Counts
) -> None:
    deleted = connection.execute(
        sql.SQL("DELETE FROM {stg} s USING {diff} k WHERE k.class IN ('deleted', 'updated') AND {k_s}").format(**parts)
    ).rowcount
    inserted = connection.execute(
        sql.SQL(
            "INSERT INTO {stg} ({columns}, load_run_file_id, load_ts) SELECT {values}, {owner}, now()"
            " FROM {diff} k JOIN {built} b ON {k_b} WHERE k.class IN ('inserted', 'updated')"
        ).format(**parts)
    ).rowcount
    wanted = (counts.inserted + counts.updated, counts.updated + counts.deleted)
    _refuse_other(extract, (inserted, deleted), wanted)


def _refuse_other(extract: Extract, wrote: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if wrote != wanted:
        raise CountMismatchError(f"stg.{extract.table}: {wrote} rows were written and removed where {wanted} were due.")


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
            " WHERE b.load_run_file_id = ANY({new}) AND b.problems <> '{{}}'"
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
