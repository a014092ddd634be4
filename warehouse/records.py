"""Which raw records speak of a natural key, of whatever attempt: what each makes today, and which staging holds.

One statement for one key or for a whole table; it finds records by the index over the cleaned key.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from warehouse import change as changes
from warehouse import hashes, names, transform
from warehouse.registry import Extract

Key = tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """A record of a file. `record_no` counts from 1, `line_no` is the line on which it begins; None: not noted when it
    was loaded. `owns`: the staging row names its attempt; `makes`: it makes the very values that staging holds.
    `live`: its attempt counts; `in_force`: raw says today that this one decides its key. `problems`: the checks that it
    breaks, in words; where it is not `valid` they keep it out of staging."""

    load_run_file_id: int
    record_no: int | None
    line_no: int | None
    valid: bool
    owns: bool
    makes: bool
    live: bool
    in_force: bool
    problems: tuple[str, ...]


def of_keys(connection: psycopg.Connection, extract: Extract, asked: sql.Composable) -> dict[Key, list[Record]]:
    """Key → its records, the one of greatest precedence first (those that count and are valid before all others).

    `asked` is a SELECT of natural keys, in the columns' own names.
    """
    found: dict[Key, list[Record]] = defaultdict(list)
    width, told = len(extract.natural_key), _checks(extract)
    for row in connection.execute(_query(extract, asked)):
        file, record_no, line_no, valid, owns, makes, live, in_force, problems = row[width:]
        broken = tuple(told[number - 1] for number in problems or ())
        found[row[:width]].append(Record(file, record_no, line_no, valid, owns, makes, live, in_force, broken))
    return found


def one_key(extract: Extract, key: Mapping[str, str]) -> sql.Composed:
    """`asked` of one key. Raises KeyError."""
    return sql.SQL("SELECT {}").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text AS {}").format(sql.Literal(key[name]), sql.Identifier(name))
            for name in extract.natural_key
        )
    )


def maker(found: Sequence[Record]) -> Record | None:
    """The record that the staging row was made of: of its own attempt, the one of the same values first."""
    return next(iter(sorted((r for r in found if r.owns), key=lambda record: not record.makes)), None)


def _checks(extract: Extract) -> list[str]:
    return [f"{check.column}: {check.reason}" for check in transform.checks(extract)]


def _query(extract: Extract, asked: sql.Composable) -> sql.Composed:
    return sql.SQL(_RECORDS).format(
        asked=asked,
        raw=names.raw(extract),
        cleaned=sql.SQL(" AND ").join(
            sql.SQL("restage.clean(r.{0}) = k.{0}").format(sql.Identifier(name)) for name in extract.natural_key
        ),
        typed=transform.typed_rows(extract, sql.SQL("SELECT * FROM candidates")),
        key=names.key(extract, of="v"),
        bare=names.key(extract, of="t"),
        kept=hashes.kept(extract, "s"),
        stg=names.staging(extract),
        same=names.same_key(extract, "s", "v"),
        live=changes.LIVE,
        precedence=changes.precedence(extract, file="f"),
    )


# Typing leaves the line behind: it is fetched again by the number of the record.
_RECORDS = """
WITH asked AS MATERIALIZED ({asked}),
candidates AS MATERIALIZED (SELECT r.* FROM asked k JOIN {raw} r ON {cleaned}),
v AS MATERIALIZED ({typed}),
f AS MATERIALIZED (SELECT f.load_run_file_id, coalesce({live}, false) AS live,
    restage.extracted_at(f.date_extracted) AS extracted_at,
    coalesce(f.original_load_run_file_id, f.load_run_file_id) AS file_order FROM etl.load_run_files f
    WHERE f.load_run_file_id IN (SELECT load_run_file_id FROM candidates)),
t AS (SELECT {key}, v.load_run_file_id, v.record_no, v.problems, v.row_hash IS NOT NULL AS valid, f.live,
    coalesce(s.load_run_file_id = v.load_run_file_id, false) AS owns, coalesce({kept} = v.row_hash, false) AS makes,
    row_number() OVER (PARTITION BY {key} ORDER BY NOT f.live, v.row_hash IS NULL, {precedence}) AS place
    FROM v JOIN f USING (load_run_file_id) LEFT JOIN {stg} s ON {same})
SELECT {bare}, t.load_run_file_id, t.record_no, r.line_no, t.valid, t.owns, t.makes, t.live,
    t.live AND t.valid AND t.place = 1, t.problems
FROM t LEFT JOIN candidates r ON r.load_run_file_id = t.load_run_file_id AND r.record_no = t.record_no
ORDER BY t.place
"""
